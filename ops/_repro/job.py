"""A stage's command while it runs, beside others."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

from dvc.rwlock import rwlock
from dvc.stage.run import get_executable, prepare_kwargs

from ops._repro.forks import Ended, fork
from ops._repro.stage_runner import say

CRASHES = ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV")


@dataclass
class Job:
    """``held`` are DVC's locks on what ``stage`` reads and writes; ``slot`` is its environment, back for the next.

    ``code`` is as Popen has it, minus the number of the signal that ended the process; 0 until it is over. ``cpu`` are
    its seconds of CPU, once it is over; 0 where a signal ended it.
    """

    stage: Any
    slot: dict[str, str]
    held: ExitStack
    began: float
    code: int = 0
    cpu: float = 0.0

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began

    @property
    def ending(self) -> str:
        """How it ended: ``exit 3``, ``ended by SIGTERM``."""
        number = -self.code if self.code < 0 else self.code - 128  # a shell, and a training that was told to stop
        name = {each.value: each.name for each in signal.Signals}.get(number)
        return f"ended by {name}" if name else f"exit {self.code}"

    @property
    def crash(self) -> str | None:
        """The signal that ended it, of those that nobody sends."""
        return next((name for name in CRASHES if self.ending == f"ended by {name}"), None)


def start(stage: Any, slot: dict[str, str], ended: queue.Queue[Job]) -> Job:
    """Start DVC's ``stage``; what it prints is said with its name, and once it is over it is put into ``ended``."""
    held = ExitStack()
    read, write = ([item.fs_path for item in items] for items in (stage.deps, stage.outs))
    held.enter_context(rwlock(stage.repo.tmp_dir, stage.repo.fs, stage.addressing, read, write, False))
    say(stage, stage.cmd)
    job = Job(stage, slot, held, time.monotonic())
    output, wait = _process(stage, {**slot, "PYTHONUNBUFFERED": "1"})
    threading.Thread(target=_relay, args=(job, output, wait, ended), daemon=True).start()
    return job


def _process(stage: Any, environment: Mapping[str, str]) -> tuple[IO[str], Callable[[], Ended]]:
    """What the stage's command prints, and a function that waits for its end."""
    options = prepare_kwargs(stage, run_env=environment)
    beyond = {name: value for name, value in options["env"].items() if os.environ.get(name) != value}
    if forked := fork(stage.cmd, options["cwd"], beyond):
        return forked
    process = subprocess.Popen(
        [get_executable(), "-c", stage.cmd],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        **options,
    )
    assert process.stdout is not None
    return process.stdout, partial(_ended, process)


def _ended(process: subprocess.Popen[str]) -> Ended:
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


def _relay(job: Job, output: IO[str], wait: Callable[[], Ended], ended: queue.Queue[Job]) -> None:
    with output:
        for line in output:
            say(job.stage, line.rstrip("\n"))
    job.code, job.cpu = wait()
    ended.put(job)
