"""What a recipe's promotion rests on: dvc.lock's entries of its training and evaluation, and the files they name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pipeline import gate, proof
from pipeline.core.types import Refusal
from pipeline.gate import Champion, Thresholds, Verdict
from pipeline.tracking.commit import checked_out
from stages._live import md5
from stages.shared.dvc import Entry, entries

PREFIX = "fcn-"  # of a registered model, before its data set


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """``metrics`` is the content of eval/<recipe>/metrics.json, ``dataset`` the first part of the split it scored."""

    recipe: str
    dataset: str
    train: Entry
    evaluate: Entry
    metrics: Mapping[str, Any]

    @property
    def model(self) -> str:
        """The name of the registered model."""
        return model(self.dataset)

    @property
    def weights(self) -> str:
        return f"runs/{self.recipe}/model.safetensors"

    @property
    def scale(self) -> str:
        return str(self.metrics.get("scale"))


def read(root: Path, recipe: str) -> Candidate:
    """The candidate as dvc.lock has it.

    Raises Refusal for a recipe that dvc.lock lacks, one evaluated with other weights than it trained, and metrics that
    are not dvc.lock's.
    """
    found = entries(root)
    train, evaluate = (_entry(found, stage, recipe) for stage in ("train", "evaluate"))
    metrics, classes = (f"eval/{recipe}/{name}.json" for name in ("metrics", "classes"))
    for path in (metrics, classes) if classes in evaluate.outs else (metrics,):
        _refuse_other(root, path, evaluate)
    by_class = json.loads((root / classes).read_bytes()) if classes in evaluate.outs else {}
    candidate = Candidate(
        recipe=recipe,
        dataset=evaluate.cmd.split()[-1].partition("/")[0],
        train=train,
        evaluate=evaluate,
        metrics=gate.with_classes(json.loads((root / metrics).read_bytes()), by_class),
    )
    if evaluate.deps.get(candidate.weights) != train.outs.get(candidate.weights):
        raise Refusal(f"{evaluate.stage} scored other weights than {train.stage} wrote: dvc repro {evaluate.stage}")
    return candidate


def refuse_other_weights(root: Path, candidate: Candidate) -> None:
    """Raise Refusal where the weights here are not the ones that dvc.lock names; reads them whole."""
    _refuse_other(root, candidate.weights, candidate.train)


def judged(
    root: Path, candidate: Candidate, asked: Thresholds, champion: Champion | None
) -> tuple[Verdict, dict[str, Any]]:
    """The verdict, and gate.json: all that it rests on, with the same bytes for the same inputs."""
    proofs = {stage: proof.read(root, f"{stage}@{candidate.recipe}") for stage in asked.proofs}
    entry = {"train": candidate.train, "evaluate": candidate.evaluate}
    unproved = {
        stage: proof.lacking(found, entry[stage].stage, entry[stage].inputs, entry[stage].outputs)
        for stage, found in proofs.items()
        if stage in entry
    }
    verdict = gate.judge(candidate.metrics, champion.metrics if champion else None, asked, unproved)
    return verdict, {
        **verdict.to_json(),
        "recipe": candidate.recipe,
        "model": candidate.model,
        "dvc.inputs": {stage: entry[stage].inputs for stage in entry},
        "dvc.outputs": {stage: entry[stage].outputs for stage in entry},
        "metrics": candidate.metrics,
        "champion": asdict(champion) if champion else None,
        "proofs": {stage: asdict(found) if found else None for stage, found in proofs.items()},
    }


def tags(root: Path, candidate: Candidate, environment: Mapping[str, str]) -> dict[str, str]:
    """What the registry keeps of where the candidate comes from.

    Raises Refusal in CI (where ``CI`` is set in ``environment``) for a work tree that differs from its commit: nobody
    could get at what was there once the machine is gone.
    """
    written = [path for entry in entries(root).values() for path in entry.outs]
    commit = checked_out(root, ["dvc.lock", *written])
    if environment.get("CI", "").lower() not in ("", "0", "false") and commit.dirty != "false":
        changed = commit.changes.partition("\n")[0].strip() or "git knows no commit"
        raise Refusal(f"the work tree is not as committed ({changed}): CI promotes commits alone")
    scores = {head: value.get("mean_iu") for head, value in candidate.metrics.items() if isinstance(value, Mapping)}
    return {
        "recipe": candidate.recipe,
        "scale": candidate.scale,
        "dvc.stage": candidate.train.stage,
        "dvc.inputs": candidate.train.inputs,
        "dvc.outputs": candidate.train.outputs,
        "git.commit": commit.sha,
        "git.dirty": commit.dirty,
        "weights.md5": candidate.train.outs[candidate.weights],
        **{f"{head}/mean_iu": str(score) for head, score in scores.items()},
    }


def model(name: str) -> str:
    """The registered model of a data set, which may be called by either's name."""
    return name if name.startswith(PREFIX) else PREFIX + name


def _entry(found: Mapping[str, Entry], stage: str, recipe: str) -> Entry:
    if entry := found.get(f"{stage}@{recipe}"):
        return entry
    known = [entry.key for entry in found.values() if entry.stage.startswith(f"{stage}@")]
    close = get_close_matches(recipe, known, n=1)
    hint = f"did you mean {close[0]}?" if close and recipe not in known else f"dvc repro {stage}@{recipe}"
    raise Refusal(f"dvc.lock has no {stage}@{recipe}: {hint}")


def _refuse_other(root: Path, path: str, entry: Entry) -> None:
    """Only the bytes that dvc.lock says ``entry`` wrote will do."""
    if (root / path).is_file() and md5(root / path) == entry.outs.get(path):
        return
    raise Refusal(f"{path} is not what dvc.lock says {entry.stage} wrote: dvc checkout, or dvc repro {entry.stage}")
