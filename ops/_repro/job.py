"""A stage's command while it runs, beside others."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from dvc.rwlock import rwlock
from dvc.stage.run import get_executable, prepare_kwargs

from ops._repro.settle import say


@dataclass(frozen=True)
class Job:
    """``held`` are DVC's locks on what ``stage`` reads and writes; ``slot`` is its environment, back for the next."""

    stage: Any
    process: subprocess.Popen[str]
    slot: dict[str, str]
    held: ExitStack
    began: float

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began


def slots(jobs: int | None, gpus: str | None) -> list[dict[str, str]]:
    """Environments of the jobs that may run at once: one a GPU, or ``jobs``, or one for each runtime.threads cores."""
    if gpus:
        return [{"CUDA_VISIBLE_DEVICES": gpu.strip()} for gpu in gpus.split(",")]
    if jobs is None:
        runtime = yaml.safe_load(Path("params.yaml").read_text())["runtime"]
        jobs = max(1, len(os.sched_getaffinity(0)) // runtime["threads"]) if runtime["device"] == "cpu" else 1
    return [{} for _ in range(jobs)]


def start(stage: Any, slot: dict[str, str], ended: queue.Queue[Job]) -> Job:
    """Start DVC's ``stage``; what it prints is said with its name, and once it is over it is put into ``ended``."""
    held = ExitStack()
    read, write = ([item.fs_path for item in items] for items in (stage.deps, stage.outs))
    held.enter_context(rwlock(stage.repo.tmp_dir, stage.repo.fs, stage.addressing, read, write, False))
    process = subprocess.Popen(
        [get_executable(), "-c", stage.cmd],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        **prepare_kwargs(stage, run_env={**slot, "PYTHONUNBUFFERED": "1"}),
    )
    job = Job(stage, process, slot, held, time.monotonic())
    say(stage, stage.cmd)
    threading.Thread(target=_relay, args=(job, ended), daemon=True).start()
    return job


def _relay(job: Job, ended: queue.Queue[Job]) -> None:
    assert job.process.stdout is not None
    for line in job.process.stdout:
        say(job.stage, line.rstrip("\n"))
    job.process.wait()
    ended.put(job)
