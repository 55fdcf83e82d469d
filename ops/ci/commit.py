"""Commit what a retraining gave, and push it: fcn ci commit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from ops._git import asked, git
from pipeline.core.types import Refusal
from stages._live import written
from stages.shared.stage import Stage

MOVED_ON = ("fetch first", "non-fast-forward")


@click.command(cls=Stage)
def main() -> None:
    """Commit dvc.lock and the small results with `[skip ci]`, push them, and tell later jobs the `commit`.

    They go to the branch that was retrained; with overrides, or where that branch has moved on, to retrain/….
    Refuses while a stage has yet to run, and where files differ that no stage writes.
    """
    from ops._plan import plan
    from ops.ci import _forge
    from ops.ci.run import OVERRIDES

    root, host, overrides = Path.cwd(), _forge.forge(os.environ), os.environ.get(OVERRIDES, "")
    if unfinished := [step.stage for step in plan(root, allow_missing=True).steps]:
        raise Refusal(f"{', '.join(unfinished)} did not run: fcn ci run first")
    results = _changed(root, [*sorted(written()), *(["params.yaml"] if overrides else [])])
    if others := sorted(set(_changed(root, ["."])) - set(results)):
        raise Refusal(f"{others[0]} differs from the commit, and no stage writes it: CI commits results alone")
    branch = host.branch
    if results:
        subject = "Results of a retraining" + (f" under {overrides}" if overrides else "")
        known = asked(root, "config", "user.email")
        author = () if known else ("-c", "user.name=fcn ci", "-c", "user.email=fcn-ci@localhost")
        git(root, "add", "--all", "--", *results)
        git(root, *author, "commit", "-qm", f"{subject}\n\n{host.page}\n\n[skip ci]", "--", *results)
        branch = _push(root, branch, aside=bool(overrides))
    commit = git(root, "rev-parse", "HEAD")
    click.echo(f"{commit[:7]} on {branch}")
    host.tell("commit", commit)


def _changed(root: Path, paths: Sequence[str]) -> list[str]:
    """What differs from HEAD under ``paths``, without what git ignores."""
    listed = git(root, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--", *paths)
    return [entry[3:] for entry in listed.split("\0") if entry]


def _push(root: Path, branch: str, *, aside: bool) -> str:
    """Push HEAD to ``branch`` and return it; to retrain/<commit> where ``aside``, or where ``branch`` has moved on."""
    other = f"retrain/{git(root, 'rev-parse', '--short=12', 'HEAD')}"
    for target in [other] if aside else [branch, other]:
        try:
            git(root, "push", "--quiet", "origin", f"HEAD:refs/heads/{target}")
            break
        except Refusal as refusal:
            if target == other or not any(reason in str(refusal) for reason in MOVED_ON):
                raise
    return target
