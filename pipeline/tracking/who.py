"""Who answers for a promotion or a rollback: a name that the registry keeps."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from pipeline.core.types import Refusal

ACTORS = ("FCN_USER", "GITHUB_ACTOR", "GITLAB_USER_LOGIN")  # said by hand, or by CI of whoever started it


def who(root: Path, environment: Mapping[str, str]) -> str:
    """The first of ``ACTORS`` that is set, or else git's user.name in ``root``.

    Raises Refusal where all are silent: what is served must have somebody who put it there.
    """
    for name in ACTORS:
        if environment.get(name):
            return environment[name]
    command = ["git", "-C", str(root), "config", "user.name"]
    try:
        name = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # no git
        name = ""
    if not name:
        raise Refusal("nobody answers for this: set FCN_USER or `git config user.name`")
    return name
