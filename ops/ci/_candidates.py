"""The recipes that CI gates and promotes: which they are, what of them is champion already, and their proofs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
from dvc.exceptions import DvcException
from dvc.repo import Repo

from ops import _candidate, verify
from ops._candidate import Candidate
from pipeline import proof, thresholds
from pipeline.registry.champion import champion
from pipeline.tracking.connect import connect_existing
from pipeline.types import Refusal
from stages._lock import Entry, entries

GATE = "conf/gate.yaml"


def chosen(root: Path, named: tuple[str, ...]) -> list[Candidate]:
    """The recipes ``named``, or else those that conf/gate.yaml offers at the scale of dvc.lock's.

    Those whose weights are their data set's champion already are left out, and told. Raises Refusal where there is
    nothing to choose from.
    """
    scales = sorted({entry.params["scale"] for entry in entries(root).values() if "scale" in entry.params})
    offered = [recipe for scale in scales for recipe in thresholds.candidates(root / GATE, scale)]
    if not (named or offered):
        raise Refusal(f"{GATE} names no candidate at scale {', '.join(scales)}: add `candidate: RECIPE` to a row")
    found = [_candidate.read(root, recipe) for recipe in named or offered]
    return [candidate for candidate in found if not _stands(root, candidate)]


def _stands(root: Path, candidate: Candidate) -> bool:
    client, _ = connect_existing(root)
    now = champion(client, candidate.model)
    if now is None or now.metrics != candidate.metrics:
        return False
    tags = client.get_model_version(candidate.model, now.version).tags
    stands = bool(tags.get("weights.md5") == candidate.train.outs[candidate.weights])
    if stands:
        click.echo(f"{candidate.recipe} is version {now.version} of {candidate.model}, the champion, already")
    return stands


def prove(ctx: click.Context, root: Path, candidate: Candidate) -> None:
    """Bring the candidate's files, and `fcn verify` the stages that the gate wants proved and nobody has.

    Scores that the gate refuses anyway are not worth a second training. A stage that comes out another way stays
    unproved, and the gate says so.
    """
    asked = thresholds.read(root / GATE, candidate.scale, candidate.dataset)
    now = champion(connect_existing(root)[0], candidate.model)
    by_scores, _ = _candidate.judged(root, candidate, replace(asked, proofs=()), now)
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
