"""Reproduce DVC's graph with several stages at once; the lock is the one that `dvc repro` would write."""

from __future__ import annotations

import logging
import queue
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.repo.reproduce import get_active_graph
from tqdm import tqdm

from ops._repro import journal
from ops._repro.job import Job, slots, start
from ops._repro.order import Order
from ops._repro.plan import plan
from ops._repro.settle import Settle, flat, say
from ops._repro.stand import ordered
from ops._repro.whole import complete
from pipeline.types import Refusal

DUMP = 60.0  # seconds: DVC takes one or two to rewrite dvc.lock, so not after each stage; the run cache knows them all


class Run:
    """One reproduction of ``targets``. ``slots`` are the environments of the jobs that may run at once."""

    def __init__(self, repo: Repo, targets: Sequence[str], slots: Sequence[dict[str, str]], settle: Settle) -> None:
        self.repo = repo
        self.slots = list(slots)
        self.settle = settle
        stages = ordered(repo, targets)
        graph = get_active_graph(repo.index.graph)
        needs = {stage: list(graph.successors(stage)) for stage in stages}
        self.order: Order[Any] = Order(stages, needs, alone=[stage for stage in stages if _tells(stage)])
        self.started: set[Any] = set()
        self.done: set[Any] = set()
        self.dumped: set[Any] = set()  # to dvc.lock, of those that are new
        self.failed: list[str] = []
        self.running: list[Job] = []
        self.ended: queue.Queue[Job] = queue.Queue()
        self.stopping = False
        self._dumped = time.monotonic()
        if settle.pull or settle.allow_missing:
            complete(repo, stages, ran=settle.new)

    def __call__(self) -> None:
        """Until nothing is left to do, or a stage failed or a SIGTERM came: then what runs may end, and no more starts.

        Raises Refusal naming the stages that failed.
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
            raise Refusal(f"failed: {', '.join(self.failed)}; what needs them did not run")

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def _start_ready(self, bar: Any) -> None:
        while self.slots and not self.stopping and not self.failed:
            if (stage := self.order.next(self.started, self.done)) is None:
                break
            self.started.add(stage)
            with _locked(self.repo), self._failing(stage):
                self._begin(stage)
            bar.update(len(self.done) - bar.n)

    def _begin(self, stage: Any) -> None:
        if self.settle.stands(stage):
            self.done.add(stage)
            return
        self.settle.prepare(stage)
        self._dump_if_due(stage)
        self.running.append(start(stage, self.slots.pop(0), self.ended))

    def _next_ended(self, bar: Any) -> Job:
        bar.set_postfix_str(", ".join(job.stage.addressing for job in self.running))
        while True:
            try:
                return self.ended.get(timeout=0.5)  # in slices, so that a signal's handler runs meanwhile
            except queue.Empty:
                bar.refresh()

    def _finish(self, job: Job) -> None:
        self.running.remove(job)
        self.slots.insert(0, job.slot)
        with _locked(self.repo):
            job.held.close()
            if code := job.process.returncode:
                self.failed.append(f"{job.stage.addressing} (exit {code})")
                return
            with self._failing(job.stage):
                self.settle.save(job.stage)
                self.done.add(job.stage)
                journal.write(Path(self.repo.root_dir), job.stage, job.seconds)
                say(job.stage, f"done in {job.seconds:.0f} s")

    @contextmanager
    def _failing(self, stage: Any) -> Iterator[None]:
        """What DVC or the house refuses is the stage's failure: what runs beside it may end."""
        try:
            yield
        except (DvcException, Refusal) as error:
            self.failed.append(f"{stage.addressing} ({flat(error)})")

    def _dump_if_due(self, stage: Any) -> None:
        """Write to dvc.lock what is done, without gaps, so that entries stand where DVC puts them.

        Always before a stage that only tells: it may read the lock, as publish does.
        """
        if _tells(stage) or time.monotonic() - self._dumped > DUMP:
            self._dump(self.order.begun(self.done))

    def _dump(self, stages: Sequence[Any]) -> None:
        if new := [stage for stage in stages if stage in self.settle.new - self.dumped]:
            new[0].dvcfile.dump_stages(new, update_pipeline=False)
            self.dumped.update(new)
        self._dumped = time.monotonic()


def _tells(stage: Any) -> bool:
    """Whether the stage writes nothing that DVC keeps, as publish, whose output is a receipt."""
    return not any(out.use_cache or out.is_metric or out.is_plot for out in stage.outs)


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


def _last_word(repo: Repo, targets: Sequence[str]) -> str:
    left = repo.reproduce(list(targets) or None)
    return f"dvc repro also ran {', '.join(map(str, left))}" if left else "dvc repro finds nothing to do"


def _left(repo: Repo, targets: Sequence[str], settle: Settle) -> str:
    """`dvc repro` would run what reads a folder of which a part is missing, so here it has no say."""
    steps = plan(repo, targets, allow_missing=True).steps if settle.new else ()
    return f"left to do: {', '.join(step.stage for step in steps)}" if steps else "nothing is left to do"


@click.command()
@click.option("--jobs", type=int)
@click.option("--gpus")
@click.option("--force", is_flag=True)
@click.option("--pull", is_flag=True)
@click.option("--allow-missing", is_flag=True)
@click.argument("targets", nargs=-1)
def main(
    jobs: int | None, gpus: str | None, force: bool, pull: bool, allow_missing: bool, targets: tuple[str, ...]
) -> None:
    """What `fcn run` starts in a process group of its own."""
    logging.getLogger("dvc").setLevel(logging.WARNING)  # a line for each stage that did not change, otherwise
    try:
        with Repo() as repo:
            settle = Settle(repo, force, pull, allow_missing)
            Run(repo, targets, slots(jobs, gpus), settle)()
            repo._reset()
            click.echo(_left(repo, targets, settle) if allow_missing else _last_word(repo, targets))
    except (DvcException, Refusal) as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
