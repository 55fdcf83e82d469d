"""Make a recipe's weights the champion of their data set: fcn promote RECIPE."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from pipeline.core.types import Refusal
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("recipe")
@click.option("--force", metavar="REASON", help="Promote what the gate refuses; the reason stays with the version.")
def main(recipe: str, force: str | None) -> None:
    """Judge RECIPE anew, upload its model, and move the alias champion of fcn-<data set> to it.

    The version says who ($FCN_USER, $GITHUB_ACTOR, $GITLAB_USER_LOGIN or git's user.name), when, the commit, what
    dvc.lock says of it, and the gate's findings.
    """
    from ops import _candidate
    from pipeline import gate
    from pipeline.registry import champion
    from pipeline.serving import package
    from pipeline.tracking.commit import user
    from pipeline.tracking.connect import answering, connect_existing
    from pipeline.tracking.runs import find
    from stages._records import identity

    root = Path.cwd()
    candidate = _candidate.read(root, recipe)
    _candidate.refuse_other_weights(root, candidate)
    tags, who = _candidate.tags(root, candidate, os.environ), user(root, os.environ)
    client, experiment = connect_existing(root)
    with answering(client):
        run = find(client, experiment, [identity(candidate.train)]).get(candidate.train.stage)
    if run is None:
        raise Refusal(f"MLflow has no run of {candidate.train.stage} as dvc.lock has it: fcn backfill makes it")
    asked = gate.Thresholds.read(root / "conf/gate.yaml", candidate.scale, candidate.dataset)
    verdict, found = _candidate.judged(root, candidate, asked, champion.champion(client, candidate.model))
    click.echo(gate.table(found["checks"]))
    if not verdict.passed and not force:
        raise Refusal(f"{recipe} fails the gate: it stays where it is; --force REASON promotes it nevertheless")
    tags |= {"forced": force or ""} if not verdict.passed else {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        package.save(root / candidate.weights, folder)
        number, move = champion.promote(client, candidate.model, folder, run=run, tags=tags, gate=found, who=who)
    before = ("after version " + move.before if move.before else "the first") if move else "as before"
    click.echo(f"{candidate.model} version {number} is champion, {before}")
