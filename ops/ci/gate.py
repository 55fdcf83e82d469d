"""Judge the candidates of a retraining, and promote them: fcn ci gate, fcn ci promote."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click

import ops.gate
import ops.promote
from ops import verify
from ops.gate import RULES, Candidate, candidate, champion
from pipeline import gate
from pipeline.core.types import Refusal
from stages.shared.dvc import entries
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("recipes", nargs=-1)
@click.pass_context
def main(ctx: click.Context, recipes: tuple[str, ...]) -> None:
    """Judge RECIPES (without any, the candidates in conf/gate.yaml) as `fcn gate` does, and fail if one fails.

    The proofs that the gate asks for are made first.
    """
    failed = []
    for found in candidates(Path.cwd(), recipes):
        prove(ctx, Path.cwd(), found)
        try:
            ctx.invoke(ops.gate.main, recipe=found.recipe)
        except click.exceptions.Exit:
            failed.append(found.recipe)
    if failed:
        click.echo(f"the gate is shut for {', '.join(failed)}", err=True)
        raise click.exceptions.Exit(1)


@click.command(cls=Stage)
@click.argument("recipes", nargs=-1)
@click.pass_context
def promote(ctx: click.Context, recipes: tuple[str, ...]) -> None:
    """Promote RECIPES (without any, the candidates in conf/gate.yaml) as `fcn promote` does, each judged anew.

    One whose weights are the champion's already stays as it is.
    """
    for found in candidates(Path.cwd(), recipes):
        prove(ctx, Path.cwd(), found)
        ctx.invoke(ops.promote.main, recipe=found.recipe)


def candidates(root: Path, named: tuple[str, ...]) -> list[Candidate]:
    """The recipes ``named``, or else those that conf/gate.yaml offers at dvc.lock's scale, less the champions."""
    scales = sorted({entry.params["scale"] for entry in entries(root).values() if "scale" in entry.params})
    offered = [recipe for scale in scales for recipe in gate.candidates(root / RULES, scale)]
    if not (named or offered):
        raise Refusal(f"{RULES} names no candidate at scale {', '.join(scales)}: add `candidate: RECIPE` to a row")
    found = [candidate(root, recipe) for recipe in named or offered]
    return [each for each in found if not _is_champion(root, each)]


def _is_champion(root: Path, found: Candidate) -> bool:
    now = champion(root, found.model)
    if now is None or now.metrics != found.metrics:
        return False
    from pipeline.tracking.connect import connect_existing

    tags = connect_existing(root)[0].get_model_version(found.model, now.version).tags
    if tags.get("weights.md5") != found.entries["train"].outs[found.weights]:
        return False
    click.echo(f"{found.recipe} is version {now.version} of {found.model}, the champion, already")
    return True


def prove(ctx: click.Context, root: Path, found: Candidate) -> None:
    """Bring the candidate's files, and `fcn verify` the stages that the gate wants proved and nobody has.

    Scores that the gate refuses anyway are not worth a second training.
    """
    asked = found.asked(root)
    if not found.judged(root, replace(asked, proofs=()), champion(root, found.model))[0].passed:
        return
    unproved = [found.entries[name] for name, reason in found.unproved(root, asked).items() if reason]
    needed = {found.weights, *(path for entry in unproved for path in (*entry.deps, *entry.outs))}
    missing = sorted(path for path in needed if not (root / path).exists())
    if missing and subprocess.run([sys.executable, "-m", "dvc", "pull", *missing], check=False).returncode:
        raise Refusal(f"{', '.join(missing)} cannot be pulled: fcn doctor remote")
    if unproved:
        try:
            ctx.invoke(verify.main, stages=tuple(entry.stage for entry in unproved))
        except click.exceptions.Exit:
            click.echo(f"{found.recipe}: not all of it came out the same", err=True)
