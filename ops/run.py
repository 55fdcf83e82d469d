"""Run the pipeline, several stages at once, and stop all of it when told to: fcn run --jobs 2."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from types import FrameType

import click

from ops import _python

GRACE = 8.0  # seconds that stages have to snapshot in; CI kills what is left ten seconds after it asks
AGAIN = 1.0  # seconds between signals: what starts while another stops must hear of it too


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Stages at once; by default one for each runtime.threads cores."
)
@click.option("--gpus", help="Devices, such as 0,1,2,3: a stage at a time on each.")
@click.option("--force", "-f", is_flag=True, help="Run what did not change, too, and use no cached run.")
@click.option("--pull", is_flag=True, help="Bring what is needed and not here from the remote, cached runs too.")
@click.option("--allow-missing", is_flag=True, help="Run nothing merely because files are not here.")
@click.option("--keep-going", "-k", is_flag=True, help="After a failure, run all that does not need what failed.")
@click.option("--strict", is_flag=True, help="Start no net after another's alarm ($FCN_STRICT=1).")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[STAGES…] [OPTIONS OF DVC REPRO]")
def main(
    jobs: int | None,
    gpus: str | None,
    force: bool,
    pull: bool,
    allow_missing: bool,
    keep_going: bool,
    strict: bool,
    arguments: tuple[str, ...],
) -> None:
    """Reproduce STAGES (all of dvc.yaml's if none is named) in the order of their dependencies.

    Independent stages run side by side; results and dvc.lock are those of `dvc repro`, which has the last word. A stage
    that crashes is begun once more. Any option but these is `dvc repro`'s, which then runs one stage after another.
    SIGTERM and Ctrl-C reach every process.
    """
    shared = {"--force": force, "--pull": pull, "--allow-missing": allow_missing, "--keep-going": keep_going}
    if strict:
        os.environ["FCN_STRICT"] = "1"
    flags = [flag for flag, given in shared.items() if given]
    if any(argument.startswith("-") for argument in arguments):
        if jobs or gpus:
            raise click.UsageError(f"--jobs and --gpus go without dvc repro's own options: {' '.join(arguments)}")
        command = ["ops.serial", *flags, *arguments]
    else:
        flags += [*(["--jobs", str(jobs)] if jobs else []), *(["--gpus", gpus] if gpus else [])]
        command = ["ops.parallel", *flags, "--", *arguments]
    raise click.exceptions.Exit(supervise([sys.executable, "-m", *command]))


def supervise(command: list[str]) -> int:
    """Run ``command`` in a process group of its own and hand it every SIGINT, SIGTERM and SIGHUP.

    DVC alone dies of SIGTERM and leaves its stage running. Returns the command's exit code, or 128 + the signal after
    which no process of the group is left: those that outlive ``GRACE`` are killed.
    """
    heard: list[int] = []

    def listen(number: int, _: FrameType | None) -> None:
        heard.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, listen)
    child = subprocess.Popen(command, process_group=0, env=_python.first(os.environ))
    while not heard:
        try:
            return child.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline and _alive(child.pid, signal.SIGTERM):
        _wait(child, AGAIN)
    if _alive(child.pid, signal.SIGKILL):
        click.echo(f"killed what was left {GRACE:.0f} s after the signal", err=True)
    child.wait()
    return 128 + heard[0]


def _wait(child: subprocess.Popen[bytes], seconds: float) -> None:
    """Until the group is gone, ``seconds`` at most; its leader is reaped, for a dead leader still counts as there."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        child.poll()
        if not _alive(child.pid, 0):
            return
        time.sleep(0.05)


def _alive(group: int, number: int) -> bool:
    """Signal the group; whether there was a process to hear it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True
