"""A stage's events, one JSON line each, in a file that only grows: what happened, whether or not a server listens."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import lock_file

if TYPE_CHECKING:  # a follower that is not needed ends before it has imported anything
    import numpy as np
    from numpy.typing import NDArray

EVENTS, PICTURES = "events.jsonl", "pictures"
SENT = "sent.json"  # what a server has of a spool: {"run_id", "status", "offset" in bytes of events, "begun" in ms}
TEMPORARY = "/.dvc/tmp/exps/"  # where `dvc exp run --temp` and `--queue` work, in a folder that they remove
ASIDE = "aside.jsonl"  # beside the spools, a line for each event that MLflow will never take, with the reason
FOLLOWER = ".follower.lock"
FINISHED, FAILED, KILLED = "FINISHED", "FAILED", "KILLED"

Event = dict[str, Any]


def clone(root: Path) -> Path:
    """``root``, absolute, or the clone whose temporary workspace it is: what is tracked outlives that."""
    return Path(str(root.resolve()).partition(TEMPORARY)[0])


def place() -> Path:
    """Where spools lie: $FCN_SPOOL, or else .spool in this clone."""
    return clone(Path()) / os.environ.get("FCN_SPOOL", ".spool")


def spools(root: Path) -> Iterator[Path]:
    """The folders of all spools under ``root``, in order of stage and fingerprint."""
    yield from (path.parent for path in sorted(root.glob(f"*/*/{EVENTS}")))


class Spool:
    """The events of one stage and fingerprint in ``folder``.

    Lines are ``begin`` (once for each process that took the work up), ``point``, ``tag``, ``picture`` and ``end``; each
    has its time in ms. A step is written once: resumed work repeats the iterations after its snapshot, with equal
    losses. The file is locked while its process lives.

    Nothing here raises OSError: when the disk is full, ``say`` gets one line and the work goes on unwatched.
    """

    def __init__(self, folder: Path, say: Callable[[str], None] = lambda line: None) -> None:
        self.folder = folder
        self.say = say
        self._last: dict[str, int] = {}  # step by curve or picture
        self._file: int | None = None
        try:
            (folder / PICTURES).mkdir(parents=True, exist_ok=True)
            self._file = os.open(folder / EVENTS, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            lock_file.take(self._file)
            self._resume(self._file)
        except OSError as error:
            self._give_up(error)

    def _resume(self, file: int) -> None:
        """Cut off a line that the power cut in two, and know what the others say."""
        events, end = read(self.folder / EVENTS, 0)
        os.ftruncate(file, end)
        for event in events:
            for name in event.get("values", [event["key"]] if event.get("event") == "picture" else []):
                self._last[name] = max(event["step"], self._last.get(name, -1))

    def begin(self, *, tags: Mapping[str, str], params: Mapping[str, str], texts: Mapping[str, str]) -> None:
        """``tags`` and ``params`` of the run, and ``texts`` to attach by file name."""
        self._write({"event": "begin", "tags": dict(tags), "params": dict(params), "texts": dict(texts)})

    def point(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers by curve."""
        fresh = {name: value for name, value in values.items() if step > self._last.get(name, -1)}
        if fresh:
            self._last |= dict.fromkeys(fresh, step)
            self._write({"event": "point", "step": step, "values": fresh})

    def tag(self, tags: Mapping[str, str]) -> None:
        """Tags of the run that are known only while it goes on."""
        self._write({"event": "tag", "tags": dict(tags)})

    def picture(self, step: int, key: str, pixels: NDArray[np.uint8]) -> None:
        """``pixels``, H×W×3 RGB."""
        if self._file is None or step <= self._last.get(key, -1):
            return
        from PIL import Image  # the follower imports this file before it knows whether it is needed

        name = f"{len(list((self.folder / PICTURES).iterdir())):04d}.png"
        try:
            Image.fromarray(pixels).save(self.folder / PICTURES / name, compress_level=4)  # as small as 6, and faster
        except OSError as error:
            self._give_up(error)
        self._last[key] = step
        self._write({"event": "picture", "step": step, "key": key, "file": name})

    def end(self, status: str, tags: Mapping[str, str]) -> None:
        """The process is done: FINISHED, FAILED or KILLED; the file is closed and free for the next."""
        self._write({"event": "end", "status": status, "tags": dict(tags)})
        self._close()

    def _write(self, event: Event) -> None:
        if self._file is None:
            return
        line = json.dumps({**event, "time": time.time_ns() // 1_000_000}) + "\n"  # in ASCII: names may be no UTF-8
        try:
            os.write(self._file, line.encode())
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.say(f"{self.folder} cannot be written ({error}): MLflow will not show this run before it is published")
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def alive(folder: Path) -> bool:
    """Whether the process that writes ``folder`` lives."""
    return lock_file.is_locked(folder / EVENTS)


def read(path: Path, start: int) -> tuple[list[Event], int]:
    """The complete lines of ``path`` from byte ``start`` on, and the byte after the last; none if it is absent."""
    if size(path) <= start:
        return [], start
    with path.open("rb") as file:
        os.fsync(file.fileno())  # what a server has must outlive a power cut, or it would get it twice
        file.seek(start)
        data = file.read()
    lines = data[: data.rfind(b"\n") + 1]
    return [_event(line) for line in lines.split(b"\n")[:-1]], start + len(lines)


def _event(line: bytes) -> Event:
    """A line that a disk has spoilt is an event, too: it is told, and the others are sent."""
    try:
        event: Event = json.loads(line)
        return {"event": event["event"], **event}
    except (ValueError, KeyError, TypeError):
        return {"event": "unreadable", "line": line[:80].decode(errors="replace")}


def size(path: Path) -> int:
    """Bytes; 0 if it is absent."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def sent(folder: Path) -> dict[str, Any]:
    """What is sent of the spool ``folder``: nothing, or what ``SENT`` in it says."""
    try:
        found: dict[str, Any] = json.loads((folder / SENT).read_text(encoding="utf-8"))
        return {"begun": None, **found}
    except (FileNotFoundError, ValueError, TypeError):  # from the start again: what the run has is not sent twice
        return {"run_id": "", "status": "", "offset": 0, "begun": None}


def set_aside(folder: Path, event: Mapping[str, Any], why: str) -> str:
    """Keep in ``ASIDE`` an event of the spool ``folder`` that MLflow will never take; returns what to say of it."""
    row = {"stage": folder.parent.name, "fingerprint": folder.name, "why": why, **event}
    with (folder.parents[1] / ASIDE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    what = event.get("key") or event["event"]
    return f"{folder.parent.name}: {what[:60]} cannot be shown in MLflow ({why}): kept in {folder.parents[1] / ASIDE}"


def has_news(folder: Path) -> bool:
    """Whether there is an event to send, or an end that its process could not write."""
    known = sent(folder)
    unsent = size(folder / EVENTS) > known["offset"]
    return unsent or (known["status"] in ("RUNNING", FINISHED) and not alive(folder))
