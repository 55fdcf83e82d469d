"""Training that survives: snapshots every minute, one more when a signal asks it to stop, a start from the newest."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from safetensors import SafetensorError

from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.runtime.fingerprint import Fingerprint
from pipeline.training import snapshot
from pipeline.training.loss import History
from pipeline.training.snapshot import Snapshot
from pipeline.training.solver import Solver

KEPT = 2
SECONDS = 60.0  # of work between two snapshots: what kill -9 may cost
FINGERPRINT = "fingerprint.json"


def opened(
    fingerprint: Fingerprint, *, asked: Callable[[], bool], say: Callable[[str], None], writes: bool = True
) -> "Snapshots":
    """Snapshots in $FCN_SNAPSHOTS, every $FCN_SNAPSHOT_SECONDS; no params, for no result depends on them.

    Raises Refusal when the seconds are no number.
    """
    text = os.environ.get("FCN_SNAPSHOT_SECONDS", str(SECONDS))
    try:
        seconds = float(text)
    except ValueError:
        raise Refusal(f"FCN_SNAPSHOT_SECONDS is {text!r}: give a number of seconds") from None
    root = Path(os.environ.get("FCN_SNAPSHOTS", ".snapshots"))
    return Snapshots(root=root, fingerprint=fingerprint, seconds=seconds, writes=writes, asked=asked, say=say)


@dataclass(kw_only=True)
class Snapshots:
    """The snapshots of a stage, in ``root``/stage/fingerprint: the last two, written in a thread every ``seconds``.

    ``asked`` tells whether the training was asked to stop, the same to all processes that share it. Without ``writes``
    it only reads, and says nothing.
    """

    root: Path
    fingerprint: Fingerprint
    seconds: float = SECONDS
    writes: bool = True
    asked: Callable[[], bool] = lambda: False
    say: Callable[[str], None] = lambda line: None

    def __post_init__(self) -> None:
        self.folder = self.root / self.fingerprint.stage / self.fingerprint.digest
        self.say = self.say if self.writes else lambda line: None
        self._kept: list[Path] = []  # read or written by this process, newest first
        self._due = time.monotonic() + self.seconds
        self._failing = False
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="snapshot")
        self._writing: Future[None] | None = None

    def resume(self, solver: Solver, history: History) -> None:
        """Set both to the newest readable snapshot of this fingerprint; without one they stay at the start.

        Raises Refusal when the processes that share the training would not go on from the same iteration.
        """
        self._restore(solver, history)
        if len(set(solver.group.gather(solver.iteration))) > 1:
            raise Refusal(f"not every process can read the same snapshot in {self.folder}: delete it")

    def _restore(self, solver: Solver, history: History) -> None:
        paths = snapshot.found(self.folder)
        for path in paths:
            try:
                snapshot.restore(path, solver, history)
            except OSError as error:
                self.say(f"{path} is unreadable ({error}): passed over")
                continue
            self._kept = [path]
            self.say(f"resuming at iteration {solver.iteration} of {solver.spec.iterations}")
            return
        if changes := self._changes():
            self.say(f"fingerprint changed ({changes}): starting fresh")
        elif paths:
            self.say("no snapshot is readable: starting fresh")

    def beat(self, solver: Solver, history: History) -> None:
        """Call after each iteration: starts a snapshot when it is time, unless the one before is still being written.

        Raises Stopped when asked to stop, with a last snapshot on the disk. No iteration being left, it lets training
        end well instead.
        """
        if self.asked() and solver.iteration < solver.spec.iterations:
            if self.writes:
                self._write_last(solver, history)
            raise Stopped
        if not self.writes or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self.seconds
        if self._writing is None or self._writing.done():
            self._wait()
            self._writing = self._pool.submit(self._write_beside, snapshot.take(solver, history))

    def clear(self) -> None:
        """Remove the stage's snapshots, of every fingerprint; call when its outputs are written."""
        if not self.writes:
            return
        self._wait()
        try:
            if self.folder.parent.is_dir():
                shutil.rmtree(self.folder.parent)
        except OSError as error:
            self.say(f"{self.folder.parent} could not be removed ({error}): delete it")

    def _wait(self) -> None:
        """For the writing thread; an error that it does not expect is raised here."""
        if self._writing is not None:
            self._writing.result()

    def _write_beside(self, state: Snapshot) -> None:
        """Write, or say why that does not work: once, until it works again."""
        failure = self._failure(state)
        if failure and not self._failing:
            self.say(f"no snapshot at iteration {state.iteration} ({failure}): training goes on without")
        self._failing = bool(failure)

    def _failure(self, state: Snapshot) -> str:
        """Write, and return why that does not work, nothing where it does."""
        try:
            self._write(state)
        except (OSError, SafetensorError) as error:
            return str(error)
        return ""

    def _write(self, state: Snapshot) -> None:
        """Raises OSError or SafetensorError; the snapshots before then stay."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for partial in self.folder.glob(".*"):
            partial.unlink()  # half-written by a process that was killed
        if not (self.folder / FINGERPRINT).exists():
            files.write_json(self.folder / FINGERPRINT, self.fingerprint.to_json())
        self._kept = [snapshot.write(state, self.folder), *self._kept][:KEPT]
        for other in snapshot.found(self.folder):
            if other not in self._kept:
                other.unlink()

    def _write_last(self, solver: Solver, history: History) -> None:
        """Write now, and say where a rerun goes on."""
        self._wait()
        missing = self._newest < solver.iteration
        failure = self._failure(snapshot.take(solver, history)) if missing else ""
        failure = f", which could not be written down ({failure})" if failure else ""
        rerun = f"goes on from iteration {self._newest}" if self._newest else "starts from the beginning"
        self.say(f"stopped at iteration {solver.iteration} of {solver.spec.iterations}{failure}: a rerun {rerun}")

    @property
    def _newest(self) -> int:
        return snapshot.iteration_of(self._kept[0]) if self._kept else 0

    def _changes(self) -> str:
        """What differs from the fingerprint whose snapshot was written last; empty where there is none."""
        others = [path for path in self.folder.parent.glob("*/iteration-*") if path.parent != self.folder]
        newest = max(others, key=lambda path: path.stat().st_mtime, default=None)
        if newest is None:
            return ""
        try:
            return self.fingerprint.since(Fingerprint.read(newest.parent / FINGERPRINT))
        except (OSError, ValueError, TypeError) as error:
            return f"the former is unreadable: {error}"


class Stopped(SystemExit):
    """The training ended early because it was asked to; where nobody catches it, the process exits 143."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


@contextmanager
def noticed() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether a SIGTERM or SIGINT has come; call it in the main thread only.

    After a signal both stay ignored when the block ends, so that a second one does not cut the process's end short.
    """
    came = False

    def notice(_: int, __: FrameType | None) -> None:
        nonlocal came
        came = True

    before = {number: signal.signal(number, notice) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: came
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if came else handler)
