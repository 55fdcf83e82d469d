"""Make a recipe's weights the champion of their data set: fcn promote RECIPE."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click

from ops import gate
from ops.gate import Candidate
from pipeline.core.types import Refusal
from stages.shared.dvc import entries
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("recipe")
@click.option("--force", metavar="REASON", help="Promote what the gate refuses; the reason stays with the version.")
def main(recipe: str, force: str | None) -> None:
    """Judge RECIPE anew, upload its model, and move the alias champion of fcn-<data set> to it.

    The version says who ($FCN_USER, $GITHUB_ACTOR, $GITLAB_USER_LOGIN or git's user.name), when, the commit, what
    dvc.lock says of it, and the gate's findings.
    """
    from pipeline.gate import table
    from pipeline.registry import champion
    from pipeline.serving import package
    from pipeline.tracking.commit import user
    from pipeline.tracking.connect import answering, connect_existing
    from pipeline.tracking.runs import find
    from stages._records import identity

    root = Path.cwd()
    candidate = gate.candidate(root, recipe)
    train = candidate.entries["train"]
    gate.refuse_other(root, candidate.weights, train)
    tags, who = _tags(root, candidate), user(root, os.environ)
    client, experiment = connect_existing(root)
    with answering(client):
        run = find(client, experiment, [identity(train)]).get(train.stage)
    if run is None:
        raise Refusal(f"MLflow has no run of {train.stage} as dvc.lock has it: fcn backfill makes it")
    before = champion.champion(client, candidate.model)
    verdict, found = candidate.judged(root, candidate.asked(root), before)
    click.echo(table(found["checks"]))
    if not verdict.passed and not force:
        raise Refusal(f"{recipe} fails the gate: it stays where it is; --force REASON promotes it nevertheless")
    tags |= {"forced": force or ""} if not verdict.passed else {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        package.save(root / candidate.weights, folder)
        number, move = champion.promote(client, candidate.model, folder, run=run, tags=tags, gate=found, who=who)
    since = ("after version " + move.before if move.before else "the first") if move else "as before"
    click.echo(f"{candidate.model} version {number} is champion, {since}")


def _tags(root: Path, candidate: Candidate) -> dict[str, str]:
    """What the registry keeps of where the candidate comes from.

    Raises Refusal in CI (where ``CI`` is set) for a work tree that differs from its commit: nobody could get at what
    was there once the machine is gone.
    """
    from pipeline.tracking.commit import checked_out

    written = [path for entry in entries(root).values() for path in entry.outs]
    commit = checked_out(root, ["dvc.lock", *written])
    if os.environ.get("CI", "").lower() not in ("", "0", "false") and commit.dirty != "false":
        changed = commit.changes.partition("\n")[0].strip() or "git knows no commit"
        raise Refusal(f"the work tree is not as committed ({changed}): CI promotes commits alone")
    scores = {head: value.get("mean_iu") for head, value in candidate.metrics.items() if isinstance(value, Mapping)}
    train = candidate.entries["train"]
    return {
        "recipe": candidate.recipe,
        "scale": str(candidate.metrics.get("scale")),
        "dvc.stage": train.stage,
        "dvc.inputs": train.inputs,
        "dvc.outputs": train.outputs,
        "git.commit": commit.sha,
        "git.dirty": commit.dirty,
        "weights.md5": train.outs[candidate.weights],
        **{f"{head}/mean_iu": str(score) for head, score in scores.items()},
    }
