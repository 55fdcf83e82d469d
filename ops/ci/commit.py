"""Commit what a retraining gave, and push it: fcn ci commit."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ops._git import git
from pipeline.core.types import Refusal
from stages._live import written
from stages.shared.stage import Stage


@click.command(cls=Stage)
def main() -> None:
    """Commit dvc.lock and the small results with `[skip ci]`, push them, and tell later jobs `commit` and `branch`.

    They go to the branch that was retrained; with overrides, or where that branch has moved on, to retrain/….
    Refuses while a stage has yet to run, and where files differ that no stage writes.
    """
    from dvc.repo import Repo

    from ops._repro.plan import plan
    from ops.ci import _forge, _results, _runner

    root, forge = Path.cwd(), _forge.forge(os.environ)
    with Repo() as repo:
        if left := [step.stage for step in plan(repo, allow_missing=True).runs]:
            raise Refusal(f"{', '.join(left)} did not run: fcn ci run first")
    overrides = os.environ.get(_runner.OVERRIDES, "")
    paths = sorted(written() | ({"params.yaml"} if overrides else set()))
    if stranger := _results.changed(root, ["--", ".", *(f":(exclude,literal){path}" for path in paths)]):
        raise Refusal(f"{stranger[0]} differs from the commit, and no stage writes it: CI commits results alone")
    branch = forge.branch
    if _results.changed(root, ["--", *paths]):
        subject = "Results of a retraining" + (f" under {overrides}" if overrides else "")
        _results.commit(root, paths, f"{subject}\n\n{forge.url}\n\n[skip ci]")
        branch = _results.push(root, branch, aside=bool(overrides), environment=forge.login())
    commit = git(root, "rev-parse", "HEAD")
    click.echo(f"{commit[:7]} on {branch}")
    forge.outputs(commit=commit, branch=branch)
