"""Who holds a lock: the kernel knows of a file's, and DVC's list of who reads and writes what names processes."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def held(path: Path) -> bool:
    """Whether a living process has locked the file with flock; one that is not there, nobody has."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def holders(rows: Any) -> Iterator[dict[str, Any]]:
    """The processes in the content of DVC's rwlock, ``pid`` and ``cmd`` of each, once for each path."""
    yield from rows.get("write", {}).values()
    for readers in rows.get("read", {}).values():
        yield from readers
