"""Judge the candidates of a retraining: fcn ci gate."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ops import gate, verify
from pipeline import proof, thresholds
from pipeline.core.types import Refusal
from stages.shared.dvc import entries
from stages.shared.stage import Stage

if TYPE_CHECKING:  # it loads NumPy, which other commands need not wait for
    from ops._candidate import Candidate

GATE = "conf/gate.yaml"


@click.command(cls=Stage)
@click.argument("recipes", nargs=-1)
@click.pass_context
def main(ctx: click.Context, recipes: tuple[str, ...]) -> None:
    """Judge RECIPES (without any, the candidates in conf/gate.yaml) as `fcn gate` does, and fail if one fails.

    The proofs that the gate asks for are made first.
    """
    root = Path.cwd()
    failed = []
    for candidate in candidates(root, recipes):
        prove(ctx, root, candidate)
        try:
            ctx.invoke(gate.main, recipe=candidate.recipe)
        except click.exceptions.Exit:
            failed.append(candidate.recipe)
    if failed:
        click.echo(f"the gate is shut for {', '.join(failed)}", err=True)
        raise click.exceptions.Exit(1)


def candidates(root: Path, named: tuple[str, ...]) -> list[Candidate]:
    """The recipes ``named``, or else those that conf/gate.yaml offers at dvc.lock's scale, less the champions."""
    from ops import _candidate

    scales = sorted({entry.params["scale"] for entry in entries(root).values() if "scale" in entry.params})
    offered = [recipe for scale in scales for recipe in thresholds.candidates(root / GATE, scale)]
    if not (named or offered):
        raise Refusal(f"{GATE} names no candidate at scale {', '.join(scales)}: add `candidate: RECIPE` to a row")
    found = [_candidate.read(root, recipe) for recipe in named or offered]
    return [candidate for candidate in found if not _is_champion(root, candidate)]


def _is_champion(root: Path, candidate: Candidate) -> bool:
    from pipeline.tracking import registry  # MLflow takes seconds to import

    client, _ = registry.ask(root)
    champion = registry.champion(client, candidate.model)
    if champion is None or champion.metrics != candidate.metrics:
        return False
    tags = client.get_model_version(candidate.model, champion.version).tags
    if tags.get("weights.md5") != candidate.train.outs[candidate.weights]:
        return False
    click.echo(f"{candidate.recipe} is version {champion.version} of {candidate.model}, the champion, already")
    return True


def prove(ctx: click.Context, root: Path, candidate: Candidate) -> None:
    """Bring the candidate's files, and `fcn verify` the stages that the gate wants proved and nobody has.

    Scores that the gate refuses anyway are not worth a second training.
    """
    from ops import _candidate
    from pipeline.tracking import registry

    asked = thresholds.read(root / GATE, candidate.scale, candidate.dataset)
    champion = registry.champion(registry.ask(root)[0], candidate.model)
    if not _candidate.judged(root, candidate, replace(asked, proofs=()), champion)[0].passed:
        return
    stages = {"train": candidate.train, "evaluate": candidate.evaluate}
    wanted = [entry for name, entry in stages.items() if name in asked.proofs]
    known = [proof.lacking(proof.read(root, each.stage), each.stage, each.inputs, each.outputs) for each in wanted]
    unproved = [entry for entry, lacking in zip(wanted, known, strict=True) if lacking]
    files = {candidate.weights, *(path for entry in unproved for path in (*entry.deps, *entry.outs))}
    missing = sorted(path for path in files if not (root / path).exists())
    if missing and subprocess.run([sys.executable, "-m", "dvc", "pull", *missing], check=False).returncode:
        raise Refusal(f"{', '.join(missing)} cannot be pulled: fcn doctor remote")
    if unproved:
        try:
            ctx.invoke(verify.main, stages=tuple(entry.stage for entry in unproved))
        except click.exceptions.Exit:
            click.echo(f"{candidate.recipe}: not all of it came out the same", err=True)
