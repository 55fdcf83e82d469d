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

    The version tells who ($FCN_USER, $GITHUB_ACTOR, $GITLAB_USER_LOGIN or git's user.name), when, the commit, what
    dvc.lock says of it, and the gate's findings.
    """
    from ops import _candidate
    from pipeline import gate, thresholds
    from pipeline.serving import package
    from pipeline.tracking import registry
    from pipeline.tracking.who import who

    root = Path.cwd()
    candidate = _candidate.read(root, recipe)
    _candidate.refuse_other_weights(root, candidate)
    tags = _candidate.tags(root, candidate, os.environ) | {"promoted.by": who(root, os.environ)}
    client, experiment = registry.ask(root)
    run = registry.run(client, experiment, candidate.train.stage, candidate.train.inputs)
    asked = thresholds.read(root / "conf/gate.yaml", candidate.scale, candidate.dataset)
    champion = registry.champion(client, candidate.model)
    verdict, found = _candidate.judged(root, candidate, asked, champion)
    click.echo(gate.table(found["checks"]))
    if not verdict.passed and not force:
        raise Refusal(f"{recipe} fails the gate: it stays where it is; --force REASON promotes it nevertheless")
    tags |= {"forced": force or ""} if not verdict.passed else {}
    with tempfile.TemporaryDirectory() as folder:
        package.save(root / candidate.weights, Path(folder) / "model")
        done = registry.promote(
            client, candidate.model, Path(folder) / "model", run_id=run.info.run_id, tags=tags, gate=found
        )
    came = "which stood already" if not done.made else "new"
    before = f"after version {done.move.before}" if done.move and done.move.before else "the first"
    click.echo(f"{candidate.model} version {done.version}, {came}, is champion, {before if done.move else 'as before'}")
