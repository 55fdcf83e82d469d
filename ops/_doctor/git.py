"""The work tree: whether git knows it, what differs from its commit, and whether its past is here."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from ops._doctor.finding import FIX, NOTE, OK, Finding, Params


def check(root: Path, params: Params) -> Iterator[Finding]:
    """Runs are tagged with the commit, and `dvc metrics diff` and `dvc exp` walk through the past."""
    try:
        if _git(root, "rev-parse", "--is-shallow-repository").strip() == "true":
            remedy = "git fetch --unshallow (in CI: fetch-depth: 0)"
            yield Finding("git", FIX, f"a shallow clone, where `dvc metrics diff` finds no past: {remedy}")
            return
        commit = _git(root, "rev-parse", "--short", "HEAD").strip()
        changed = _git(root, "status", "--porcelain").splitlines()
    except FileNotFoundError:
        yield Finding("git", FIX, "git is not installed: install it")
    except subprocess.CalledProcessError as error:
        said = next(iter(error.stderr.splitlines()), "git fails").removeprefix("fatal: ")
        yield Finding("git", FIX, f"{said}: run fcn doctor in a clone with a commit")
    else:
        if changed:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            yield Finding("git", NOTE, f"{commit} with changes ({changed[0].strip()}{more}): runs will be tagged dirty")
        else:
            yield Finding("git", OK, f"{commit}, clean")


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, errors="replace").stdout
