"""Reproduce DVC's graph with several stages at once; the lock is the one that `dvc repro` would write."""

from __future__ import annotations

import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml
from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.rwlock import rwlock
from dvc.stage.cache import RunCacheNotFoundError
from dvc.stage.run import get_executable, prepare_kwargs
from tqdm import tqdm

from ops._order import Order
from pipeline.types import Refusal

DUMP = 60.0  # seconds: DVC takes one or two to rewrite dvc.lock, so not after each stage; the run cache knows them all


@dataclass(frozen=True)
class Job:
    """A stage whose command runs, in one of the slots; ``held`` are DVC's locks on what it reads and writes."""

    stage: Any
    process: subprocess.Popen[str]
    slot: dict[str, str]
    held: ExitStack
    began: float


class Run:
    """One reproduction of ``targets``. ``slots`` are the environments of the jobs that may run at once."""

    def __init__(self, repo: Repo, targets: Sequence[str], slots: Sequence[dict[str, str]], force: bool) -> None:
        self.repo = repo
        self.slots = list(slots)
        self.force = force
        graph = get_active_graph(repo.index.graph)
        stages = plan_repro(graph, collect_stages(repo, targets or ["dvc.yaml"]))
        needs = {stage: list(graph.successors(stage)) for stage in stages}
        self.order: Order[Any] = Order(stages, needs, alone=[stage for stage in stages if _tells(stage)])
        self.started: set[Any] = set()
        self.done: set[Any] = set()
        self.new: set[Any] = set()  # done, and not yet in dvc.lock
        self.failed: list[str] = []
        self.running: list[Job] = []
        self.ended: queue.Queue[Job] = queue.Queue()
        self.stopping = False
        self._dumped = time.monotonic()

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
            with _locked(self.repo):
                if self._stands(stage):
                    self.done.add(stage)
                else:
                    self._dump_if_due(stage)
                    self.running.append(self._start(stage))
            bar.update(len(self.done) - bar.n)

    def _stands(self, stage: Any) -> bool:
        """Whether the stage needs no run: unchanged, or a run of it with these inputs is in DVC's cache."""
        if stage.frozen or not stage.cmd:
            stage.reproduce()
            return True
        if not self.force and not stage.changed():
            return True
        stage.remove_outs(ignore_remove=False, force=False)
        if self.force:
            return False
        try:
            self.repo.stage_cache.restore(stage)
        except RunCacheNotFoundError:
            return False
        self._save(stage)
        _say(stage, "restored from the cache of runs")
        return True

    def _start(self, stage: Any) -> Job:
        stage.save_deps()
        held = ExitStack()
        read, write = ([item.fs_path for item in items] for items in (stage.deps, stage.outs))
        held.enter_context(rwlock(self.repo.tmp_dir, self.repo.fs, stage.addressing, read, write, False))
        slot = self.slots.pop(0)
        process = subprocess.Popen(
            [get_executable(), "-c", stage.cmd],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            **prepare_kwargs(stage, run_env={**slot, "PYTHONUNBUFFERED": "1"}),
        )
        job = Job(stage, process, slot, held, time.monotonic())
        _say(stage, stage.cmd)
        threading.Thread(target=self._relay, args=(job,), daemon=True).start()
        return job

    def _relay(self, job: Job) -> None:
        assert job.process.stdout is not None
        for line in job.process.stdout:
            _say(job.stage, line.rstrip("\n"))
        job.process.wait()
        self.ended.put(job)

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
            self._save(job.stage)
            self.done.add(job.stage)
        _say(job.stage, f"done in {time.monotonic() - job.began:.0f} s")

    def _save(self, stage: Any) -> None:
        """What DVC does once a command is over (Stage.run)."""
        uncached = any(not out.use_cache for out in stage.outs if not (out.is_metric or out.is_plot))
        stage.save(run_cache=not uncached)
        stage.commit()
        self.new.add(stage)

    def _dump_if_due(self, stage: Any) -> None:
        """Write to dvc.lock what is done, without gaps, so that entries stand where DVC puts them.

        Always before a stage that only tells: it may read the lock, as publish does.
        """
        if _tells(stage) or time.monotonic() - self._dumped > DUMP:
            self._dump(self.order.begun(self.done))

    def _dump(self, stages: Sequence[Any]) -> None:
        if new := [stage for stage in stages if stage in self.new]:
            new[0].dvcfile.dump_stages(new, update_pipeline=False)
            self.new.difference_update(new)
        self._dumped = time.monotonic()


def _tells(stage: Any) -> bool:
    """Whether the stage writes nothing that DVC keeps, as publish, whose output is a receipt, and report."""
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


def _say(stage: Any, text: str) -> None:
    tqdm.write(f"[{stage.addressing}] {text}", file=sys.stdout)
    sys.stdout.flush()


def _slots(jobs: int | None, gpus: str | None) -> list[dict[str, str]]:
    if gpus:
        return [{"CUDA_VISIBLE_DEVICES": gpu.strip()} for gpu in gpus.split(",")]
    if jobs is None:
        runtime = yaml.safe_load(Path("params.yaml").read_text())["runtime"]
        jobs = max(1, len(os.sched_getaffinity(0)) // runtime["threads"]) if runtime["device"] == "cpu" else 1
    return [{} for _ in range(jobs)]


@click.command()
@click.option("--jobs", type=int)
@click.option("--gpus")
@click.option("--force", is_flag=True)
@click.argument("targets", nargs=-1)
def main(jobs: int | None, gpus: str | None, force: bool, targets: tuple[str, ...]) -> None:
    """What `fcn run` starts in a process group of its own."""
    logging.getLogger("dvc").setLevel(logging.WARNING)  # a line for each stage that did not change, otherwise
    try:
        with Repo() as repo:
            Run(repo, targets, _slots(jobs, gpus), force)()
            repo._reset()
            left = repo.reproduce(list(targets) or None)
        click.echo(f"dvc repro also ran {', '.join(map(str, left))}" if left else "dvc repro finds nothing to do")
    except (DvcException, Refusal) as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
