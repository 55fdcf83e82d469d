"""What takes space and nobody needs: one line each, with the reason."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

RUN = "run"  # the kind that MLflow keeps


@dataclass(frozen=True, kw_only=True)
class Orphan:
    """``kind`` groups and says who removes it, ``id`` is how they know it, ``name`` is for people.

    ``changed`` is in seconds since 1970. Not ``ours``: it lies on a server that others use.
    """

    kind: str
    id: str
    name: str
    bytes: int
    changed: float
    why: str
    ours: bool = True

    @property
    def days(self) -> float:
        return (time.time() - self.changed) / 86400


def orphan_at(path: Path, kind: str, root: Path, why: str) -> Orphan:
    """The file or folder ``path``; a folder's age is that of what was written in it last."""
    size, changed = measure([path, *path.rglob("*")])
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    return Orphan(kind=kind, id=str(path), name=name, bytes=size, changed=changed, why=why)


def measure(paths: Iterable[Path]) -> tuple[int, float]:
    """The bytes of the files among ``paths``, and when the newest of all was written; what vanishes counts nothing."""
    size, newest = 0, 0.0
    for path in paths:
        try:
            stat = path.lstat()
        except FileNotFoundError:
            continue
        size += 0 if path.is_dir() else stat.st_size
        newest = max(newest, stat.st_mtime)
    return size, newest
