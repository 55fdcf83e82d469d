"""Follow the spools of a repository while stages write them; run: python -m pipeline.live.follow ROOT SPOOLS.

Stages start it often, and most often there is one already: so nothing is imported here before that is known.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.lock_file import locked
from pipeline.tracking import spool

if TYPE_CHECKING:  # it loads MLflow, which takes seconds
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

TICK = 2.0  # seconds between looks: a run's begin and its end are that far behind in MLflow
PERIOD = 10.0  # seconds between passes: its curves are that far behind
LINGER = 6.0  # seconds without a stage until the follower ends: `dvc repro` takes about one from stage to stage

Activity = dict[Path, tuple[int, bool]]  # of each spool its bytes, and whether a stage writes it


def follow(root: Path, spools: Path) -> None:
    """Send until no stage is left that writes; the only follower of ``spools``, or none: another one is enough.

    A stage that meets the lock starts no follower. So the lock is let go before the last look for such a stage. What a
    server that does not answer has not got in the end is left to ``fcn sync``.
    """
    seen: Activity | None = None
    while seen is None or seen != activity(spools):
        try:
            with locked(spools / spool.FOLLOWER, wait=False):
                seen = send_until_quiet(root, spools)
        except BlockingIOError:
            return


def activity(spools: Path) -> Activity:
    return {folder: (spool.size(folder / spool.EVENTS), spool.alive(folder)) for folder in spool.spools(spools)}


def send_until_quiet(root: Path, spools: Path) -> Activity:
    """Send at once what begins or ends, and the rest every ``PERIOD``, until ``LINGER`` seconds have brought nothing.

    Returns what there was at the last look.
    """
    monitors: dict[Path, SystemMetricsMonitor] = {}
    due, quiet, before = 0.0, 0.0, Activity()
    while quiet < LINGER:
        now = activity(spools)
        living = {folder for folder, (_, alive) in now.items() if alive}
        quiet = 0.0 if living or now != before else quiet + TICK
        if time.monotonic() >= due or living != {folder for folder, (_, alive) in before.items() if alive}:
            _send(root, spools)
            _measure(root, living, monitors)
            due = time.monotonic() + PERIOD
        before = now
        time.sleep(TICK)
    _send(root, spools)
    return before


def _send(root: Path, spools: Path) -> None:
    from pipeline.core.types import Refusal
    from pipeline.tracking.sync import sync

    try:
        sync(root, spools)
    except (Refusal, OSError) as error:
        logging.warning("nothing sent: %s", error)


def _measure(root: Path, living: set[Path], monitors: dict[Path, SystemMetricsMonitor]) -> None:
    """Have MLflow measure the machine (CPU, memory, disk, network, GPUs) for each stage that goes on."""
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    from pipeline.tracking.uri import chosen

    for folder in living - monitors.keys():
        if run_id := spool.sent(folder)["run_id"]:
            monitors[folder] = SystemMetricsMonitor(run_id, resume_logging=True, tracking_uri=chosen(root))
            monitors[folder].start()
    for folder in monitors.keys() - living:
        monitors.pop(folder).finish()


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    os.nice(10)  # a stage needs the processor more
    follow(Path(sys.argv[1]), Path(sys.argv[2]))
