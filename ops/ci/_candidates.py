"""The recipes that CI gates and promotes: which they are, what of them is champion already, and their proofs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
from dvc.exceptions import DvcException
from dvc.repo import Repo

from ops import _candidate, verify
from ops._candidate import Candidate
from pipeline import proof
from pipeline.core.types import Refusal
from pipeline.gate import Thresholds, candidates
from pipeline.tracking import registry
from stages.shared.dvc import Entry, entries

GATE = "conf/gate.yaml"


def chosen(root: Path, named: tuple[str, ...]) -> list[Candidate]:
    """The recipes ``named``, or else those that conf/gate.yaml offers at the scale of dvc.lock's.

    Those whose weights are their data set's champion already are left out, and told. Raises Refusal where there is
    nothing to choose from.
    """
    scales = sorted({entry.params["scale"] for entry in entries(root).values() if "scale" in entry.params})
    offered = [recipe for scale in scales for recipe in candidates(root / GATE, scale)]
    if not (named or offered):
        raise Refusal(f"{GATE} names no candidate at scale {', '.join(scales)}: add `candidate: RECIPE` to a row")
    found = [_candidate.read(root, recipe) for recipe in named or offered]
    return [candidate for candidate in found if not _stands(root, candidate)]


def _stands(root: Path, candidate: Candidate) -> bool:
    client, _ = registry.ask(root)
    champion = registry.champion(client, candidate.model)
    if champion is None or champion.metrics != candidate.metrics:
        return False
    tags = client.get_model_version(candidate.model, champion.version).tags
    stands = bool(tags.get("weights.md5") == candidate.train.outs[candidate.weights])
    if stands:
        click.echo(f"{candidate.recipe} is version {champion.version} of {candidate.model}, the champion, already")
    return stands


def prove(ctx: click.Context, root: Path, candidate: Candidate) -> None:
    """Bring the candidate's files, and `fcn verify` the stages that the gate wants proved and nobody has.

    Scores that the gate refuses anyway are not worth a second training. A stage that comes out another way stays
    unproved, and the gate says so.
    """
    asked = Thresholds.read(root / GATE, candidate.scale, candidate.dataset)
    champion = registry.champion(registry.ask(root)[0], candidate.model)
    by_scores, _ = _candidate.judged(root, candidate, replace(asked, proofs=()), champion)
    if not by_scores.passed:
        return
    named = {"train": candidate.train, "evaluate": candidate.evaluate}
    lacking = [entry for name, entry in named.items() if name in asked.proofs and not _proved(root, entry)]
    _pull(root, {candidate.weights, *(path for entry in lacking for path in (*entry.deps, *entry.outs))})
    if lacking:
        try:
            ctx.invoke(verify.main, stages=tuple(entry.stage for entry in lacking), keep=False)
        except click.exceptions.Exit:
            click.echo(f"{candidate.recipe}: not all of it came out the same", err=True)


def _proved(root: Path, entry: Entry) -> bool:
    return not proof.lacking(proof.read(root, entry.stage), entry.stage, entry.inputs, entry.outputs)


def _pull(root: Path, paths: set[str]) -> None:
    wanted = sorted(path for path in paths if not (root / path).exists())
    if not wanted:
        return
    try:
        with Repo(str(root)) as repo:
            repo.pull(targets=wanted)
    except DvcException as error:
        raise Refusal(f"{', '.join(wanted)} cannot be pulled ({error}): fcn doctor remote") from None
