"""Follow the spools of a repository while stages write them; run: python -m pipeline.tracking.follow ROOT SPOOLS."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path

from pipeline.tracking import drain, spool
from pipeline.tracking.drain import SYSTEM, alone
from pipeline.tracking.machine import Machine
from pipeline.types import Refusal

# drain sets what MLflow reads when it is imported, so MLflow comes after it
# isort: split
from mlflow.exceptions import MlflowException

PERIOD = 2.0  # seconds from pass to pass: a curve in MLflow is that far behind
PATIENCE = 30.0  # the longest pause after a server did not answer
LINGER = 6.0  # seconds without a stage until it ends: `dvc repro` takes about one from stage to stage
FOLLOWER = ".follower.lock"


def follow(root: Path, spools: Path) -> None:
    """Drain until no stage is left that writes; the only follower of ``spools``, or none: another one is enough.

    A server that does not answer costs nothing but its events' waiting: the last pass that fails leaves them to
    ``fcn sync``.
    """
    try:
        with alone(spools / FOLLOWER, wait=False):
            _follow(root, spools)
    except BlockingIOError:
        return


def _follow(root: Path, spools: Path) -> None:
    machine = Machine()
    shown: dict[Path, int] = {}
    pause, quiet, due = PERIOD, time.monotonic(), 0.0
    while time.monotonic() - quiet < LINGER:
        writing = [folder for folder in spool.spools(spools) if spool.alive(folder)]
        machine.look()
        _note(machine, writing, shown)
        if writing:
            quiet = time.monotonic()
        if time.monotonic() >= due or not writing:
            try:
                drain.drain(root, spools)
                pause = PERIOD
            except (Refusal, MlflowException, OSError) as error:
                pause = min(2 * pause, PATIENCE)
                logging.warning("nothing sent: %s", str(error).splitlines()[0])
            due = time.monotonic() + pause
        time.sleep(PERIOD)


def _note(machine: Machine, writing: list[Path], shown: dict[Path, int]) -> None:
    """Add how busy the machine was, once for each step that a spool has reached: as few points as its curves have."""
    reached = {folder: _step(folder) for folder in writing}
    fresh = {folder: step for folder, step in reached.items() if step > shown.get(folder, 0)}
    values = machine.told() if fresh else {}
    for folder, step in fresh.items():
        shown[folder] = step
        spool.append(folder / SYSTEM, {"event": "point", "step": step, "values": values})


def _step(folder: Path) -> int:
    events, _ = spool.read(folder / spool.EVENTS, 0)
    return max((event["step"] for event in events if event["event"] == "point"), default=0)


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    os.nice(10)  # a stage needs the processor more
    follow(Path(sys.argv[1]), Path(sys.argv[2]))
