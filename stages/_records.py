"""The records that publish brings to a tracker: one per entry of dvc.lock, and one for the pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.tracking import record, splits, written
from pipeline.tracking.commit import Commit, checked_out
from pipeline.tracking.record import RunRecord
from stages._compare import keyless, named, published
from stages._note import note
from stages._sources import archives
from stages.shared.dvc import Entry, entries, pipeline, upstream

CONTEXTS = {"train": "training", "evaluate": "evaluation", "evaluate-import": "evaluation"}
COMPARED = ("train", "import-weights", "evaluate", "evaluate-import")  # stages whose runs stand beside others'
WEIGHTS = ".safetensors"


def records(root: Path, experiment: str | None) -> tuple[RunRecord, list[RunRecord]]:
    """The pipeline as one record, and a record per entry; ``experiment`` is DVC's name for it, if it runs in one."""
    found = entries(root)
    outs = [path for entry in found.values() for path in entry.outs]
    commit = checked_out(root, ["dvc.lock", *outs])
    sources = archives(found)
    children = [_record(root, entry, found, commit, sources) for entry in found.values()]
    return _pipeline(found, children, commit, experiment), children


def identity(entry: Entry) -> dict[str, str]:
    """The tags by which a stage's run is found: the stage, its fingerprint, and what it wrote."""
    return {
        "dvc.stage": entry.stage,
        "dvc.inputs": entry.inputs,
        "dvc.outputs": entry.outputs,
        **{record.key(f"dvc.out.{path}"): md5 for path, md5 in entry.outs.items()},
    }


def _pipeline(
    found: Mapping[str, Entry], children: Sequence[RunRecord], commit: Commit, experiment: str | None
) -> RunRecord:
    """The parent: its headline scores are ``<recipe>/<head>/mean_iu`` and so on, its files the report's.

    What an evaluation tells in more detail, of classes, bands and sizes, stays with its own run.
    """
    lock = pipeline(found.values())
    scores = {
        f"{found[child.stage].key}/{name}": value
        for child in children
        if child.stage.startswith("evaluate@")
        for name, value in child.metrics.items()
        if name.count("/") < 2
    }
    return RunRecord(
        stage=experiment or f"{commit.sha[:7]}+{lock[:8]}",
        tags={"dvc.lock": lock} | ({"dvc.exp": experiment} if experiment else {}),
        origin=_origin(commit),
        metrics=scores,
        artifacts=[path for child in children if child.stage == "report" for path in child.artifacts],
        texts=_changes(commit),
    )


def _record(
    root: Path, entry: Entry, found: Mapping[str, Entry], commit: Commit, sources: Mapping[str, str]
) -> RunRecord:
    """One entry's run: ``dvc.inputs`` is the stage's fingerprint, ``upstream.<stage>`` that of one it builds on."""
    told, stage = written.read(root, entry.outs), entry.stage.partition("@")[0]
    before = upstream(entry, found)
    read, absent = splits.read(root, entry.deps, sources, CONTEXTS.get(stage, stage))
    printed, prints = published(entry.key, told.metrics) if stage.startswith("evaluate") else ({}, {})
    lineage = [*_same_key(entry, found), entry]
    params = {name: value for ancestor in lineage for name, value in ancestor.params.items()}
    tags = {
        **told.facts,
        "dvc.key": entry.key,
        "dvc.cmd": entry.cmd,
        "dvc.missing": " ".join([*told.missing, *absent]),
        **{record.key(f"dvc.dep.{path}"): md5 for path, md5 in entry.deps.items()},
        **{record.key(f"upstream.{other.stage}"): other.inputs for other in before},
        "weights": next((f"dvc:{md5}" for path, md5 in entry.outs.items() if path.endswith(WEIGHTS)), ""),
        **prints,
        "mlflow.note.content": note(entry, before, told),
        **identity(entry),
    }
    return RunRecord(
        stage=entry.stage,
        tags={name: value for name, value in tags.items() if value},
        origin=_origin(commit),
        params=keyless(params, entry.key) | (named(entry, found, params) if stage in COMPARED else {}),
        metrics={**told.metrics, **printed},
        curves=told.curves,
        artifacts=told.artifacts,
        texts=_changes(commit),
        splits=read,
        confusions=told.confusions,
    )


def _origin(commit: Commit) -> dict[str, str]:
    return {"git.commit": commit.sha, "git.dirty": commit.dirty}


def _changes(commit: Commit) -> dict[str, str]:
    return {"changes.patch": commit.changes} if commit.changes else {}


def _same_key(entry: Entry, found: Mapping[str, Entry]) -> list[Entry]:
    """The entries of the same key that ``entry`` builds on, farthest first: a score then stands beside its lr.

    Not the other way round: a net may be scored again, by other code, and its training would keep the old score.
    """
    before: list[Entry] = []
    for other in upstream(entry, found):
        if entry.key and other.key == entry.key:
            before += [*_same_key(other, found), other]
    return before
