"""Reproduce DVC's graph with several stages at once; the lock is the one that `dvc repro` would write."""

import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

import click
import networkx  # type: ignore[import-untyped]  # DVC's own
from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo.reproduce import get_active_graph
from dvc.rwlock import rwlock
from funcy import retry  # type: ignore[import-untyped]  # DVC's own
from tqdm import tqdm

from ops import _journal
from ops._project import one_line, opened, ordered
from ops._repro.job import CRASHES, Ending, run
from ops._repro.order import Order, Slots, computes, slots
from ops._repro.stage_runner import StageRunner, say
from pipeline.core.types import Refusal
from stages.shared.dvc import PUBLISH

DUMP = 300.0  # seconds: DVC takes two to rewrite dvc.lock, so not after each stage; the cache of runs knows them all


def main() -> None:
    """Run with `fcn run`'s options, the first argument, as JSON."""
    try:
        click.echo(reproduce(Path.cwd(), **json.loads(sys.argv[1])))
    except Refusal as refusal:
        sys.exit(f"Error: {refusal}")


def reproduce(
    root: Path, targets: Sequence[str], jobs: int | None, gpus: str | None, keep_going: bool, **options: bool
) -> str:
    """Run what ``targets`` need, or all of dvc.yaml, and return what is left to do in words.

    Where a stage was new, `dvc repro` has the last word; else it has just said of each stage that it is unchanged.
    ``options`` are StageRunner's. Raises Refusal naming the stages that failed, and for a graph that DVC cannot walk.
    """
    with opened(root, targets) as repo:
        runner = StageRunner(repo, **options)
        stages = ordered(repo, targets)
        with _journal.summary(root):
            Run(runner, stages, slots(root, jobs, gpus), keep_going)()
    if not runner.new:
        return f"nothing to run: {len(stages)} stages unchanged"  # as `fcn plan` says it
    if runner.allow_missing:
        return "nothing is left to do"  # `dvc repro` would run what reads a folder of which a part is missing
    with opened(root) as repo:
        ran = repo.reproduce(list(targets) or None)
    return f"dvc repro also ran {', '.join(map(str, ran))}" if ran else "dvc repro finds nothing to do"


class Run:
    """One reproduction of ``stages``. With ``keep_going`` a failure stops only what needs the stage that failed."""

    def __init__(
        self, runner: StageRunner, stages: Sequence[Any], slots: tuple[Slots, Slots], keep_going: bool
    ) -> None:
        self.repo = runner.repo
        self.runner = runner
        self.slots = {stage: slots[computes(stage)] for stage in stages}
        self.keep_going = keep_going
        # Reduced: the report reads what trainings write, too, and yet a net is to be scored before the next one trains
        graph = networkx.transitive_reduction(get_active_graph(self.repo.index.graph))
        needs = {stage: list(graph.successors(stage)) for stage in stages}
        self.order = Order(stages, needs, long=[*filter(computes, stages)])
        self.started, self.done, self.crashed = set[Any](), set[Any](), set[Any]()
        self.failed: dict[Any, str] = {}
        self.running: dict[Future[Ending], tuple[Any, dict[str, str], ExitStack]] = {}  # stage, slot, DVC's locks
        self.pool = ThreadPoolExecutor(len(stages) or 1)
        self.stopping = False
        self._dumped, self._when = set[Any](), time.monotonic()  # new stages that dvc.lock has, and since when

    def __call__(self) -> None:
        """Until nothing is left to do, or a stage failed or a SIGTERM came: then what runs may end, and no more starts.

        Raises Refusal naming the stages that failed, and those that could not run for it.
        """
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "stopping", True))
        with tqdm(total=len(self.order.stages), unit="stage", disable=None) as bar, self.repo.scm_context(quiet=True):
            try:
                self._start_ready(bar)
                while self.running:
                    bar.set_postfix_str(", ".join(stage.addressing for stage, *_ in self.running.values()))
                    for future in wait(self.running, timeout=0.5, return_when=FIRST_COMPLETED).done:
                        self._finish(future.result(), *self.running.pop(future))
                    self._start_ready(bar)
            finally:
                self._dump(self.order.stages)
        if self.stopping:
            raise Refusal("stopped: what is done is in dvc.lock, and trainings go on from their snapshots")
        if self.failed:
            failed = ", ".join(f"{stage.addressing} ({why})" for stage, why in self.failed.items())
            left = [stage.addressing for stage in self.order.stages if stage not in self.done | set(self.failed)]
            raise Refusal(f"failed: {failed}; not run: {', '.join(left) or 'nothing else'}")

    def _start_ready(self, bar: Any) -> None:
        while not self.stopping and (self.keep_going or not self.failed):
            stage = self.order.next(self.started, self.done, fits=self.slots.get)
            if stage is None:
                break
            self.started.add(stage)
            with self._locked(stage):
                self._begin(stage)
            bar.update(len(self.done) - bar.n)

    def _begin(self, stage: Any) -> None:
        if self.runner.is_up_to_date(stage) or self.runner.restore(stage):
            self.done.add(stage)
            return
        if stage.addressing == PUBLISH or time.monotonic() - self._when > DUMP:  # publish reads dvc.lock
            self._dump([*takewhile(self.done.__contains__, self.order.stages)])
        held, slot = ExitStack(), self.slots[stage].pop(0)
        read, write = ([item.fs_path for item in items] for items in (stage.deps, stage.outs))
        held.enter_context(rwlock(self.repo.tmp_dir, self.repo.fs, stage.addressing, read, write, False))
        self.running[self.pool.submit(run, stage, slot)] = stage, slot, held

    def _finish(self, ending: Ending, stage: Any, slot: dict[str, str], held: ExitStack) -> None:
        self.slots[stage].insert(0, slot)
        with self._locked(stage):
            held.close()
            if ending.how in CRASHES and stage not in self.crashed and not self.stopping:
                self.crashed.add(stage)
                self.started.remove(stage)
                say(stage, f"died of {CRASHES[ending.how]}, which nobody sends: begun once more")
                return
            if ending.how:
                raise Refusal("stopped" if self.stopping else ending.how)
            self.runner.save(stage)
            self.done.add(stage)
            say(stage, _journal.write(Path(self.repo.root_dir), stage, ending.seconds, ending.cpu, ending.memory))

    @contextmanager
    def _locked(self, stage: Any) -> Iterator[None]:
        """With DVC's lock, held only while DVC works: `dvc status` beside a long run must not be refused.

        What DVC or the house refuses is the stage's failure: what runs beside it may end.
        """
        try:
            retry(20, LockError)(self.repo.lock.lock)()  # three seconds each, while another DVC works
            try:
                yield
            finally:
                self.repo.lock.unlock()
        except (DvcException, Refusal) as error:
            self.failed[stage] = one_line(error)
            say(stage, f"failed: {self.failed[stage]}")

    def _dump(self, stages: Sequence[Any]) -> None:
        """To dvc.lock, without gaps, so that entries stand where DVC puts them."""
        if new := [stage for stage in stages if stage in self.runner.new - self._dumped]:
            new[0].dvcfile.dump_stages(new, update_pipeline=False)
            self._dumped.update(new)
        self._when = time.monotonic()
