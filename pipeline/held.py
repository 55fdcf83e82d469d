"""Whether anybody has a lock on a file: the kernel knows, and forgets it with the process."""

from __future__ import annotations

import fcntl
from pathlib import Path


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
