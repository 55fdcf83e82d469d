"""Reproduce DVC's graph with several stages at once; the lock is the one that `dvc repro` would write."""

from __future__ import annotations

import queue
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import networkx  # type: ignore[import-untyped]  # DVC's own
from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from tqdm import tqdm

from ops import _journal
from ops._repro.job import Job, start
from ops._repro.order import Order
from ops._repro.slots import Slots, computes
from ops._repro.stage_runner import StageRunner, one_line, say
from pipeline.core.types import Refusal
from stages.shared.dvc import PUBLISH, stages

DUMP = 300.0  # seconds: DVC takes two to rewrite dvc.lock, so not after each stage; the cache of runs knows them all


def reproduce(root: Path, targets: Sequence[str], slots: Slots, runner: StageRunner, keep_going: bool) -> str:
    """Run what ``targets`` need, or all of dvc.yaml, and return what is left to do in words.

    Where a stage was new, `dvc repro` has the last word; else it has just said of each stage that it is unchanged.
    Raises Refusal naming the stages that failed, and DVC's own for a graph that it cannot walk.
    """
    run = Run(runner, targets, slots, keep_going)
    run()
    if not runner.new:
        return f"nothing to run: {len(run.done)} stages unchanged"  # as `fcn plan` says it
    if runner.allow_missing:
        return "nothing is left to do"  # `dvc repro` would run what reads a folder of which a part is missing
    with Repo(str(root)) as repo:
        left = repo.reproduce(list(targets) or None)
    return f"dvc repro also ran {', '.join(map(str, left))}" if left else "dvc repro finds nothing to do"


def ordered(repo: Repo, targets: Sequence[str]) -> list[Any]:
    """What DVC would walk for ``targets``, or for all of dvc.yaml, in its order: the very stages of the index."""
    if Path(repo.root_dir, "params.yaml").is_file():
        stages(Path(repo.root_dir))  # refuses names that a shell would read
    known = {stage: stage for stage in repo.index.stages}
    chosen = collect_stages(repo, targets) if targets else list(known)
    return [known[stage] for stage in plan_repro(get_active_graph(repo.index.graph), chosen)]


class Run:
    """One reproduction of ``targets``. With ``keep_going`` a failure stops only what needs the stage that failed."""

    def __init__(self, runner: StageRunner, targets: Sequence[str], slots: Slots, keep_going: bool) -> None:
        self.repo = runner.repo
        self.runner = runner
        self.slots = slots
        self.keep_going = keep_going
        # Reduced: the report reads what trainings write, too, and yet a net is to be scored before the next one trains
        graph = networkx.transitive_reduction(get_active_graph(self.repo.index.graph))
        stages = ordered(self.repo, targets)
        needs = {stage: list(graph.successors(stage)) for stage in stages}
        self.order: Order[Any] = Order(stages, needs, long=[stage for stage in stages if computes(stage)])
        self.started: set[Any] = set()
        self.done: set[Any] = set()
        self.dumped: set[Any] = set()  # to dvc.lock, of those that are new
        self.failed: dict[Any, str] = {}
        self.crashed: set[Any] = set()
        self.running: list[Job] = []
        self.ended: queue.Queue[Job] = queue.Queue()
        self.stopping = False
        self._dumped = time.monotonic()

    def __call__(self) -> None:
        """Until nothing is left to do, or a stage failed or a SIGTERM came: then what runs may end, and no more starts.

        Raises Refusal naming the stages that failed, and those that could not run for it.
        """
        signal.signal(signal.SIGTERM, self._stop)
        with tqdm(total=len(self.order.stages), unit="stage", disable=None) as bar, self.repo.scm_context(quiet=True):
            try:
                self._start_ready(bar)
                while self.running:
                    self._finish(self._next_ended(bar))
                    self._start_ready(bar)
            finally:
                self._dump(self.order.stages)
        if self.stopping:
            raise Refusal("stopped: what is done is in dvc.lock, and trainings go on from their snapshots")
        if self.failed:
            failed = ", ".join(f"{stage.addressing} ({why})" for stage, why in self.failed.items())
            left = [stage.addressing for stage in self.order.stages if stage not in self.done | set(self.failed)]
            raise Refusal(f"failed: {failed}; not run: {', '.join(left) or 'nothing else'}")

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def _start_ready(self, bar: Any) -> None:
        while not self.stopping and (self.keep_going or not self.failed):
            stage = self.order.next(self.started, self.done, fits=lambda stage: bool(self.slots.of(stage)))
            if stage is None:
                break
            self.started.add(stage)
            with _locked(self.repo), self._failing(stage):
                self._begin(stage)
            bar.update(len(self.done) - bar.n)

    def _begin(self, stage: Any) -> None:
        if self.runner.is_up_to_date(stage) or self.runner.restore(stage):
            self.done.add(stage)
            return
        if stage.addressing == PUBLISH or time.monotonic() - self._dumped > DUMP:  # publish reads dvc.lock
            self._dump(self.order.begun(self.done))
        self.running.append(start(stage, self.slots.of(stage).pop(0), self.ended))

    def _next_ended(self, bar: Any) -> Job:
        bar.set_postfix_str(", ".join(job.stage.addressing for job in self.running))
        while True:
            try:
                return self.ended.get(timeout=0.5)  # in slices, so that a signal's handler runs meanwhile
            except queue.Empty:
                bar.refresh()

    def _finish(self, job: Job) -> None:
        stage = job.stage
        self.running.remove(job)
        self.slots.of(stage).insert(0, job.slot)
        with _locked(self.repo):
            job.held.close()
            if job.crash and stage not in self.crashed and not self.stopping:
                self.crashed.add(stage)
                self.started.remove(stage)
                say(stage, f"died of {job.crash}, which nobody sends: begun once more")
            elif job.code:
                self._fail(stage, "stopped" if self.stopping else job.ending)
            else:
                with self._failing(stage):
                    self.runner.save(stage)
                    self.done.add(stage)
                    _journal.write(Path(self.repo.root_dir), stage, job.seconds, job.cpu)
                    say(stage, f"done in {job.seconds:.0f} s, {job.cpu:.0f} s of CPU")

    def _fail(self, stage: Any, why: str) -> None:
        self.failed[stage] = why
        say(stage, f"failed: {why}")

    @contextmanager
    def _failing(self, stage: Any) -> Iterator[None]:
        """What DVC or the house refuses is the stage's failure: what runs beside it may end."""
        try:
            yield
        except (DvcException, Refusal) as error:
            self._fail(stage, one_line(error))

    def _dump(self, stages: Sequence[Any]) -> None:
        """To dvc.lock, without gaps, so that entries stand where DVC puts them."""
        if new := [stage for stage in stages if stage in self.runner.new - self.dumped]:
            new[0].dvcfile.dump_stages(new, update_pipeline=False)
            self.dumped.update(new)
        self._dumped = time.monotonic()


@contextmanager
def _locked(repo: Repo, patience: float = 60.0) -> Iterator[None]:
    """DVC's lock of the repository, held only while DVC works: `dvc status` beside a long run must not be refused."""
    until = time.monotonic() + patience
    while True:
        try:
            repo.lock.lock()
            break
        except LockError:
            if time.monotonic() > until:
                raise
    try:
        yield
    finally:
        repo.lock.unlock()
