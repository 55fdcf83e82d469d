"""Which commit is checked out, and what differs from it that no stage wrote."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Commit:
    """``dirty`` is "true", "false", or "unknown" where git cannot tell; ``changes`` are a status list and a patch."""

    sha: str = UNKNOWN
    dirty: str = UNKNOWN
    changes: str = ""


def checked_out(root: Path, written: Iterable[str]) -> Commit:
    """The commit of the work tree at ``root``; the paths in ``written`` (what the pipeline writes) make it no dirtier.

    Everything is unknown without git, without a repository and before the first commit.
    """
    others = ["--", ".", *(f":(exclude,literal){path}" for path in written)]
    try:
        sha = _git(root, "rev-parse", "HEAD").strip()
        status = _git(root, "status", "--short", "--untracked-files=all", *others)
        patch = _git(root, "diff", "HEAD", *others)
    except (OSError, subprocess.CalledProcessError):
        return Commit()
    return Commit(sha=sha, dirty="true" if status else "false", changes=f"{status}\n{patch}" if status else "")


def _git(root: Path, *args: str) -> str:
    command = ["git", "-C", str(root), *args]
    done = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8", errors="replace")
    return done.stdout
