"""Which commit is checked out, what differs from it that no stage wrote, and who is at work here."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.types import Refusal
from pipeline.tracking.git import git

UNKNOWN = "unknown"
USERS = ("FCN_USER", "GITHUB_ACTOR", "GITLAB_USER_LOGIN")  # given by hand, or by CI of whoever started it


@dataclass(frozen=True, kw_only=True)
class Commit:
    """``dirty`` is "true", "false", or "unknown" where git cannot tell; ``changes`` are a status list and a patch."""

    sha: str = UNKNOWN
    dirty: str = UNKNOWN
    changes: str = ""
    user: str = ""  # who is at work, if that is known

    @property
    def texts(self) -> dict[str, str]:
        """``changes`` to attach to a run, if there are any."""
        return {"changes.patch": self.changes} if self.changes else {}


def origin(commit: Commit, command: str) -> dict[str, str]:
    """The tags that tell who made a run, from what; MLflow's own, in columns and headers, are ``mlflow.…``."""
    known = {
        "mlflow.user": commit.user or os.environ.get("USER", ""),
        "mlflow.source.git.commit": commit.sha if commit.sha != UNKNOWN else "",
    }
    known = {name: text for name, text in known.items() if text}
    source = {"mlflow.source.name": command, "mlflow.source.type": "JOB" if os.environ.get("CI") else "LOCAL"}
    return {"git.commit": commit.sha, "git.dirty": commit.dirty, **source, **known}


def checked_out(root: Path, written: Iterable[str]) -> Commit:
    """The commit of the work tree at ``root``; the paths in ``written`` (what the pipeline writes) make it no dirtier.

    Everything is unknown without git, without a repository and before the first commit.
    """
    others = ["--", ".", *(f":(exclude,literal){path}" for path in written)]
    who = ""
    try:
        sha = git(root, "rev-parse", "HEAD")
        status = git(root, "status", "--short", "--untracked-files=all", *others)
        patch = git(root, "diff", "HEAD", *others)
    except Refusal:
        return Commit()
    with suppress(Refusal):
        who = user(root, os.environ)
    changes = f"{status}\n\n{patch}\n" if status else ""
    return Commit(sha=sha, dirty="true" if status else "false", changes=changes, user=who)


def user(root: Path, environment: Mapping[str, str]) -> str:
    """Who answers for a promotion: the first of ``USERS`` that is set, or else git's user.name in ``root``.

    Raises Refusal where there is none: what is served must have somebody who put it there.
    """
    for name in USERS:
        if environment.get(name):
            return environment[name]
    try:
        return git(root, "config", "user.name")
    except Refusal:
        raise Refusal("nobody answers for this: set FCN_USER or `git config user.name`") from None
