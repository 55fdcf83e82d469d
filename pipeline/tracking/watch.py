"""When a follower sends what: a new run and an end at once, the rest together now and then."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from pathlib import Path

from pipeline.core.types import Refusal
from pipeline.tracking import spool
from pipeline.tracking.drain import Sender
from pipeline.tracking.machine import Machine

# drain sets what MLflow reads when it is imported, so MLflow comes after it
# isort: split
from mlflow.exceptions import MlflowException

TICK = 2.0  # seconds from look to look: a run's first and last events are that far behind
PERIOD = 10.0  # seconds from pass to pass: its curves in MLflow are that far behind
PATIENCE = 30.0  # the longest pause after a server did not answer
LINGER = 6.0  # seconds without a stage until it ends: `dvc repro` takes about one from stage to stage


class Watch:
    """The spools under ``spools`` as they were looked at last, and what is sent of them."""

    def __init__(self, root: Path, spools: Path) -> None:
        self.spools = spools
        self.sender = Sender(root, spools)
        self.machine = Machine()
        self._sizes: dict[Path, int] = {}  # bytes of events by spool
        self._reached: dict[Path, tuple[int, int]] = {}  # bytes read and the last step in them, of spools seen alive
        self._next = self._retry = 0.0  # when the next pass over all is due, and when one after a failure
        self._pause = TICK

    def until_quiet(self) -> None:
        """Send until ``LINGER`` seconds have brought nothing."""
        quiet = time.monotonic()
        while time.monotonic() - quiet < LINGER:
            writing = self.look()
            self._send()
            if writing:
                quiet = time.monotonic()
            time.sleep(TICK)

    def look(self) -> bool:
        """Whether a stage writes, or has written since the last look."""
        before = self._sizes
        self._sizes = {folder: spool.size(folder / spool.EVENTS) for folder in spool.spools(self.spools)}
        self._reached = {folder: self._reached[folder] for folder in self._sizes if folder in self._reached}
        return before != before | self._sizes or any(map(spool.alive, self._sizes))

    def _send(self) -> None:
        self.machine.look()
        now, living = time.monotonic(), {folder for folder in self._sizes if spool.alive(folder)}
        if living and now < self._retry:
            return
        waiting = set() if now >= self._next else {folder for folder in living if self.sender.goes_on(folder)}
        due = [folder for folder in self._sizes if folder not in waiting]
        try:
            self._note([folder for folder in due if folder in living or folder in self._reached])
            self.sender.send(due)
            self._pause = TICK
        except (Refusal, MlflowException, OSError) as error:
            self._pause = min(2 * self._pause, PATIENCE)
            self._retry = time.monotonic() + self._pause
            logging.warning("nothing sent: %s", str(error).splitlines()[0])
        if not waiting:
            self._next = time.monotonic() + PERIOD

    def _note(self, folders: Iterable[Path]) -> None:
        """Add how busy the machine was, at the step that a spool has reached: fewer points than its curves have."""
        fresh = {}
        for folder in folders:
            start, last = self._reached.get(folder, (0, 0))
            events, end = spool.read(folder / spool.EVENTS, start)
            step = max([last, *(event["step"] for event in events if event["event"] == "point")])
            self._reached[folder] = end, step
            if step > last:
                fresh[folder] = step
        values = self.machine.told() if fresh else {}
        for folder, step in fresh.items():
            spool.append(folder / spool.SYSTEM, {"event": "point", "step": step, "values": values})
