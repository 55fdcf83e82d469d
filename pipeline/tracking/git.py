"""git, asked in a repository: what it says, or why it would not."""

import os
import re
import subprocess
from pathlib import Path

from pipeline.core.types import Refusal

MARKS = ("error:", "fatal:", "! [")  # begin the lines in which git says why
REMEDIES = {
    "dubious ownership": "git config --global --add safe.directory {root}",
    "not a git repository": "git clone the project (a zip file has no .git), or git init",
}


def git(root: Path, *arguments: str) -> str:
    """What ``git arguments`` prints in ``root``, without the last newline.

    Raises Refusal, in git's own words without the password in a URL, where it fails or is not installed.
    """
    return answer(root, *arguments).decode(errors="replace").rstrip("\n")


def answer(root: Path, *arguments: str) -> bytes:
    """As ``git``, byte for byte."""
    quiet = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}  # a runner has nobody to type a password
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, env={**os.environ, **quiet}, capture_output=True, check=False)
    except FileNotFoundError:
        raise Refusal("git is not installed: install it") from None
    if done.returncode:
        said = [line.strip() for line in done.stderr.decode(errors="replace").splitlines()]
        reason = next((line for line in said if line.startswith(MARKS)), "\n".join(said).partition("\n")[0])
        remedy = next(
            (f": {text.format(root=root.resolve())}" for mark, text in REMEDIES.items() if mark in reason), ""
        )
        raise Refusal(f"git {arguments[0]} failed: {re.sub(r'//[^@/ ]*@', '//***@', reason)}{remedy}")
    return done.stdout


def asked(root: Path, *arguments: str) -> str:
    """As ``git``, but empty where it has no answer."""
    try:
        return git(root, *arguments)
    except Refusal:
        return ""
