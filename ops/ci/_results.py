"""Commit what stages wrote, and push it so that nobody's work is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ops._git import asked, git
from pipeline.core.types import Refusal

NAME, EMAIL = "fcn ci", "fcn-ci@localhost"  # where git knows nobody
MOVED_ON = ("fetch first", "non-fast-forward")


def changed(root: Path, arguments: Sequence[str]) -> list[str]:
    """Paths that differ from HEAD, without those that git ignores."""
    listed = git(root, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", *arguments)
    return [entry[3:] for entry in listed.split("\0") if entry]


def commit(root: Path, paths: Sequence[str], message: str) -> None:
    """Commit what differs under ``paths``, and nothing else."""
    files = changed(root, ["--", *paths])
    author = () if asked(root, "config", "user.email") else ("-c", f"user.name={NAME}", "-c", f"user.email={EMAIL}")
    git(root, "add", "--all", "--", *files)
    git(root, *author, "commit", "--quiet", "--message", message, "--", *files)


def push(root: Path, branch: str, *, aside: bool, environment: Mapping[str, str]) -> str:
    """Push HEAD to ``branch`` and return it; to retrain/<commit> where ``aside``, or where ``branch`` has moved on.

    ``environment`` is added to git's: a login belongs there, not into a command, which `ps` shows. Raises Refusal where
    git is not let in.
    """
    other = f"retrain/{git(root, 'rev-parse', '--short=12', 'HEAD')}"
    for target in [other] if aside else [branch, other]:
        try:
            git(root, "push", "--quiet", "origin", f"HEAD:refs/heads/{target}", environment=environment)
            return target
        except Refusal as refusal:
            if target == other or not any(reason in str(refusal) for reason in MOVED_ON):
                raise
    raise AssertionError("the last target returns or raises")
