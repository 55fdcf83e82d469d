"""Locks on files, by flock: the kernel frees them when their process dies; and who is named in DVC's list of users."""

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.core.types import Refusal

RWLOCK = ".dvc/tmp/rwlock"  # DVC's list of the processes that read and write


def is_locked(path: Path) -> bool:
    """Whether a living process has locked the file ``path``; False where there is none."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock ``path`` during the block; without ``wait`` BlockingIOError where another process has it."""
    with path.open("w") as file:
        if wait:
            fcntl.flock(file, fcntl.LOCK_EX)
        else:
            take(file.fileno())
        yield


def take(descriptor: int) -> None:
    """Lock an open file, or raise BlockingIOError within a second; ``is_locked`` elsewhere has it for a moment."""
    for _ in range(20):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
    return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def holders(path: Path) -> set[int]:
    """The ids of the processes in the rwlock at ``path``, dead ones among them; none where there is no file.

    Raises Refusal where it is damaged.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        entries = [
            *rows.get("write", {}).values(),
            *(each for readers in rows.get("read", {}).values() for each in readers),
        ]
        return {int(entry["pid"]) for entry in entries if entry}
    except FileNotFoundError:
        return set()
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refusal(f"{path} is damaged, so no stage runs: where no dvc works here, rm {RWLOCK}") from None
