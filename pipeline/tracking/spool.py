"""A stage's events, one JSON line each, in a file that only grows: what happened, whether or not a server listens."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.held import held

if TYPE_CHECKING:  # a follower that is not needed ends before it has imported anything
    import numpy as np
    from numpy.typing import NDArray

EVENTS, SYSTEM = "events.jsonl", "system.jsonl"  # what the stage tells, and what its follower tells of the machine
PICTURES = "pictures"
FOLLOWER = ".follower.lock"
FINISHED, FAILED, KILLED = "FINISHED", "FAILED", "KILLED"

Event = dict[str, Any]


def place() -> Path:
    """Where spools lie: $FCN_SPOOL, or else .spool here."""
    return Path(os.environ.get("FCN_SPOOL", ".spool")).resolve()


class Spool:
    """The events of one stage and fingerprint in ``folder``, and an Observer that writes them.

    Lines are ``begin`` (once for each process that took the work up), ``point``, ``picture`` and ``end``; each bears
    its time in ms. A step that an earlier process told stays told: resumed work repeats the iterations after its
    snapshot, with equal losses. The file is locked while its process lives, and the kernel lets go when it dies.

    Nothing here raises OSError: when the disk is full, ``say`` is told once and the work goes on unwatched.
    """

    def __init__(self, folder: Path, say: Callable[[str], None] = lambda line: None) -> None:
        self.folder = folder
        self.say = say
        self._told: dict[str, int] = {}  # the last step by curve or picture
        self._file: int | None = None
        try:
            self._open()
        except OSError as error:
            self._give_up(error)

    def _open(self) -> None:
        (self.folder / PICTURES).mkdir(parents=True, exist_ok=True)
        file = os.open(self.folder / EVENTS, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            _lock(file)
        except OSError:
            os.close(file)
            raise
        events, end = read(self.folder / EVENTS, 0)
        os.ftruncate(file, end)  # a line that the power cut in two
        for event in events:
            for name in event.get("values", [event["key"]] if event["event"] == "picture" else []):
                self._told[name] = max(event["step"], self._told.get(name, -1))
        self._file = file

    def begin(self, *, tags: Mapping[str, str], params: Mapping[str, str], texts: Mapping[str, str]) -> None:
        """``tags`` and ``params`` of the run, and ``texts`` to attach by file name."""
        self._write({"event": "begin", "tags": dict(tags), "params": dict(params), "texts": dict(texts)})

    def point(self, step: int, values: Mapping[str, float]) -> None:
        fresh = {name: value for name, value in values.items() if step > self._told.get(name, -1)}
        if fresh:
            self._told |= dict.fromkeys(fresh, step)
            self._write({"event": "point", "step": step, "values": fresh})

    def picture(self, step: int, key: str, pixels: NDArray[np.uint8]) -> None:
        if self._file is None or step <= self._told.get(key, -1):
            return
        from PIL import Image  # the follower reads this file's events before it has the time to import

        name = f"{len(list((self.folder / PICTURES).iterdir())):04d}.png"
        try:
            Image.fromarray(pixels).save(
                self.folder / PICTURES / name, compress_level=4
            )  # no larger than 6, and faster
        except OSError as error:
            self._give_up(error)
        self._told[key] = step
        self._write({"event": "picture", "step": step, "key": key, "file": name})

    def end(self, status: str, tags: Mapping[str, str]) -> None:
        """The process is done: FINISHED, FAILED or KILLED; the file is closed and free for the next."""
        self._write({"event": "end", "status": status, "tags": dict(tags)})
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, event: Event) -> None:
        if self._file is None:
            return
        try:
            os.write(self._file, _line(event))
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.say(f"{self.folder} cannot be written ({error}): MLflow will not show this run before it is published")
        if self._file is not None:
            os.close(self._file)
            self._file = None


@contextmanager
def alone(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock ``path``, which its holder's death frees; without ``wait`` BlockingIOError where it is held."""
    with path.open("w") as file:
        if wait:
            fcntl.flock(file, fcntl.LOCK_EX)
        else:
            _lock(file.fileno())
        yield


def _lock(file: int) -> None:
    """Raises BlockingIOError when another process keeps it; one that only asks whether it is held has it briefly."""
    for _ in range(20):
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
    return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def read(path: Path, start: int) -> tuple[list[Event], int]:
    """The whole lines of ``path`` from byte ``start`` on, and the byte after the last of them; none if it is absent."""
    if size(path) <= start:
        return [], start
    with path.open("rb") as file:
        os.fsync(file.fileno())  # what a server is told must outlive a power cut, or it would be told twice
        file.seek(start)
        data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines()], start + len(whole)


def size(path: Path) -> int:
    """Bytes; 0 if it is absent."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def append(path: Path, event: Event) -> None:
    """Add a line to a file that has one writer, after its last whole line; raises OSError."""
    with path.open("a+b", buffering=0) as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # a line that the power cut in two
                os.truncate(path, read(path, 0)[1])
        file.write(_line(event))


def _line(event: Event) -> bytes:
    return (json.dumps({**event, "time": time.time_ns() // 1_000_000}, ensure_ascii=False) + "\n").encode()


def alive(folder: Path) -> bool:
    """Whether the process that writes ``folder`` lives."""
    return held(folder / EVENTS)


def spools(root: Path) -> Iterator[Path]:
    """The folders of all spools under ``root``, in order of stage and fingerprint."""
    yield from (path.parent for path in sorted(root.glob(f"*/*/{EVENTS}")))
