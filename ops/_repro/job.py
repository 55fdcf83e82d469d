"""A stage's command from its start to its end."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from dvc.stage.run import get_executable, prepare_kwargs

from ops._repro.forks import Process, fork
from ops._repro.stage_runner import say

CRASHES = {f"ended by {name}": name for name in ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV")}


@dataclass(frozen=True)
class Ending:
    """``how`` is ``exit 3`` or ``ended by SIGTERM``, empty for success; the last two are 0 for a killed fork."""

    how: str
    seconds: float
    cpu: float
    memory: int  # bytes that its largest process had resident at most, as Linux counts them


def run(stage: Any, slot: dict[str, str]) -> Ending:
    """Run the command of DVC's ``stage`` with the environment ``slot``; what it prints is said with its name."""
    say(stage, stage.cmd)
    began, (output, wait) = time.monotonic(), _process(stage, slot)
    with output:
        for line in output:
            say(stage, line.rstrip("\n"))
    code, cpu, kibibytes = wait()
    number = -code if code < 0 else code - 128  # a shell, and a training that was asked to stop
    name = {each.value: each.name for each in signal.Signals}.get(number)
    how = f"ended by {name}" if name else f"exit {code}" if code else ""
    return Ending(how, time.monotonic() - began, cpu, 1024 * kibibytes)


def _process(stage: Any, slot: dict[str, str]) -> Process:
    options = prepare_kwargs(stage, run_env={**slot, "PYTHONUNBUFFERED": "1"})
    beyond = {name: value for name, value in options["env"].items() if os.environ.get(name) != value}
    if forked := fork(stage.cmd, options["cwd"], beyond):
        return forked
    command, pipe = [get_executable(), "-c", stage.cmd], subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, errors="replace", **options)
    assert process.stdout is not None

    def ended() -> tuple[int, float, int]:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return process.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss

    return process.stdout, ended
