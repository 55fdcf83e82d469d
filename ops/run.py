"""Run the pipeline, several stages at once, and stop all of it when told to: fcn run --jobs 2."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import click

from stages.shared.stage import Stage

GRACE = 8.0  # seconds that stages have to snapshot in; CI kills what is left ten seconds after it asks
AGAIN = 1.0  # seconds between signals: what starts while another stops must hear of it too
PARALLEL = "from ops._repro.reproduce import main; main()"  # no module: a forked stage would import it, and DVC with it
SERIAL = (  # SIGTERM ends DVC's stage, which hears it too; DVC then writes dvc.lock
    "import signal, sys; from dvc.cli import main; signal.signal(signal.SIGTERM, lambda *_: None)\n"
    "sys.exit(main(['repro', *sys.argv[1:]]))"
)


@click.command(cls=Stage, context_settings={"ignore_unknown_options": True})
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Stages at once; by default one for each runtime.threads cores."
)
@click.option("--gpus", help="Devices, such as 0,1,2,3: a stage at a time on each.")
@click.option("--force", "-f", is_flag=True, help="Run what did not change, too, and use no cached run.")
@click.option("--pull", is_flag=True, help="Bring what is needed and not here from the remote, cached runs too.")
@click.option("--allow-missing", is_flag=True, help="Run nothing merely because DVC's files are not here.")
@click.option("--keep-going", "-k", is_flag=True, help="After a failure, run all that does not need what failed.")
@click.option("--strict", is_flag=True, help="Start no net after another's alarm ($FCN_STRICT=1).")
@click.argument("targets", nargs=-1, type=click.UNPROCESSED, metavar="[STAGES…] [OPTIONS OF DVC REPRO]")
def main(jobs: int | None, gpus: str | None, strict: bool, targets: tuple[str, ...], **flags: Any) -> None:
    """Reproduce STAGES (all of dvc.yaml's if none is named) in the order of their dependencies.

    Independent stages run side by side; results and dvc.lock are those of `dvc repro`, which has the last word. A stage
    that crashes is begun once more. Any option but these is `dvc repro`'s, which then runs one stage after another.
    SIGTERM and Ctrl-C reach every process.
    """
    if strict:
        os.environ["FCN_STRICT"] = "1"
    if any(target.startswith("-") for target in targets):
        if jobs or gpus:
            raise click.UsageError(f"--jobs and --gpus go without dvc repro's own options: {' '.join(targets)}")
        options = [f"--{name.replace('_', '-')}" for name, given in flags.items() if given]
        command = [SERIAL, *options, *targets]
    else:
        command = [PARALLEL, json.dumps({"targets": targets, "jobs": jobs, "gpus": gpus, **flags})]
    raise click.exceptions.Exit(supervise([sys.executable, "-c", *command]))


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
    child = subprocess.Popen(command, process_group=0, env=this_python(os.environ))
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


def this_python(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` with this Python's folder first in its PATH: stages say `python` and mean this one."""
    path = environment.get("PATH", os.defpath)
    return {**environment, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{path}"}


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
