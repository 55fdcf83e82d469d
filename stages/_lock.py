"""What dvc.lock says happened, entry by entry, as records for a tracker."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from pipeline.tracking import record
from pipeline.tracking.commit import Commit, checked_out
from pipeline.tracking.record import RunRecord
from pipeline.types import Refusal

PUBLISH = "publish"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, where libyaml is


@dataclass(frozen=True)
class Entry:
    """One stage's entry: its command, the hashes of what it read and wrote by path, its params by dotted name."""

    stage: str
    cmd: str
    deps: Mapping[str, str]
    outs: Mapping[str, str]
    params: Mapping[str, str]

    @property
    def key(self) -> str:
        """The foreach key (``voc-fcn8s`` of ``train@voc-fcn8s``), empty for a plain stage."""
        return self.stage.partition("@")[2]

    @property
    def inputs(self) -> str:
        """Digest of everything that may decide the outputs' bytes."""
        return _digest([self.cmd, self.deps, self.params, sorted(self.outs)])

    @property
    def outputs(self) -> str:
        return _digest(self.outs)


def entries(root: Path) -> dict[str, Entry]:
    """dvc.lock's entries of the stages that dvc.yaml has now, in its order; publish itself is left out.

    dvc.lock also remembers stages of another scale: they are no part of this pipeline. A stage that never ran has no
    entry. Raises Refusal when there is no dvc.lock, or it has none of the stages.
    """
    locked = _yaml(root / "dvc.lock").get("stages") or {}
    found = {name: _entry(name, locked[name]) for name in stages(root) if name in locked and name != PUBLISH}
    if not found:
        raise Refusal(f"{root / 'dvc.lock'} has no entry of any stage in dvc.yaml: run `dvc repro`")
    return found


def stages(root: Path) -> Iterator[str]:
    """The addresses of dvc.yaml's stages, ``train@voc-fcn8s`` for a foreach over params.yaml's map."""
    params = _yaml(root / "params.yaml")
    for name, body in _yaml(root / "dvc.yaml")["stages"].items():
        if "foreach" in body:
            yield from (f"{name}@{key}" for key in _keys(body["foreach"], params))
        elif "matrix" in body:
            raise Refusal(f"dvc.yaml: {name} is a matrix, which publish cannot read: write it as a foreach over a map")
        else:
            yield name


def records(root: Path, experiment: str | None) -> tuple[RunRecord, list[RunRecord]]:
    """The pipeline as one record, and a record per entry; ``experiment`` is DVC's name for it, if it runs in one."""
    found = entries(root)
    outs = [path for entry in found.values() for path in entry.outs]
    commit = checked_out(root, ["dvc.lock", *outs])
    children = [_record(root, entry, found) for entry in found.values()]
    return _pipeline(found, children, commit, experiment), children


def _pipeline(
    found: Mapping[str, Entry], children: Sequence[RunRecord], commit: Commit, experiment: str | None
) -> RunRecord:
    """The parent: its headline scores are ``<recipe>/<head>/mean_iu`` and so on, its files the report's."""
    digest = _digest([[entry.stage, entry.inputs, entry.outs] for entry in found.values()])
    scores = {
        f"{found[child.stage].key}/{name}": value
        for child in children
        if child.stage.startswith("evaluate@")
        for name, value in child.metrics.items()
        if "/iu/" not in name
    }
    return RunRecord(
        stage=experiment or f"{commit.sha[:7]}+{digest[:8]}",
        tags={"dvc.lock": digest, "dvc.exp": experiment or "", "git.commit": commit.sha, "git.dirty": commit.dirty},
        metrics=scores,
        artifacts=[path for child in children if child.stage == "report" for path in child.artifacts],
        texts={"changes.patch": commit.changes} if commit.changes else {},
    )


def _record(root: Path, entry: Entry, found: Mapping[str, Entry]) -> RunRecord:
    written = record.read(root, entry.outs)
    lineage = [*_upstream(entry, found), entry]
    params = {name: value for ancestor in lineage for name, value in ancestor.params.items()}
    tags = {
        **written.facts,
        "dvc.stage": entry.stage,
        "dvc.key": entry.key,
        "dvc.cmd": entry.cmd,
        "dvc.inputs": entry.inputs,
        "dvc.outputs": entry.outputs,
        "dvc.missing": " ".join(written.missing),
        **{record.key(f"dvc.dep.{path}"): md5 for path, md5 in entry.deps.items()},
        **{record.key(f"dvc.out.{path}"): md5 for path, md5 in entry.outs.items()},
    }
    return RunRecord(
        stage=entry.stage,
        tags=tags,
        params={record.keyless(name, entry.key): record.shortened(value) for name, value in params.items()},
        metrics=written.metrics,
        curves=written.curves,
        artifacts=written.artifacts,
    )


def _upstream(entry: Entry, found: Mapping[str, Entry]) -> list[Entry]:
    """The entries of the same key that ``entry`` builds on, farthest first: a score then stands beside its lr."""
    before: list[Entry] = []
    for other in found.values():
        related = entry.key and other.key == entry.key
        if related and any(overlap(dep, out) for dep in entry.deps for out in other.outs):
            before += [*_upstream(other, found), other]
    return before


def overlap(dep: str, out: str) -> bool:
    """Whether one path is the other or lies in it."""
    return PurePosixPath(dep).is_relative_to(out) or PurePosixPath(out).is_relative_to(dep)


def _entry(stage: str, row: Mapping[str, Any]) -> Entry:
    params: dict[str, str] = {}
    for leaves in (row.get("params") or {}).values():
        params |= record.dotted(leaves)
    return Entry(stage, str(row["cmd"]), _hashes(row.get("deps")), _hashes(row.get("outs")), params)


def _hashes(rows: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    return {row["path"]: str(row.get(row.get("hash", "md5"), "")) for row in rows or ()}


def _keys(foreach: Any, params: Mapping[str, Any]) -> list[str]:
    """The keys of a foreach: a map's names, a list's texts; ``${group}`` stands for params.yaml's."""
    rows: Any = foreach
    if isinstance(foreach, str):
        rows = params
        for step in foreach.strip("${} ").split("."):
            if not isinstance(rows, Mapping) or step not in rows:
                raise Refusal(
                    f"dvc.yaml has foreach: {foreach} but params.yaml has no {step}: add the map, {{}} if empty"
                )
            rows = rows[step]
    return [str(row) for row in rows or ()]


def _yaml(path: Path) -> dict[str, Any]:
    try:
        return dict(yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER) or {})
    except FileNotFoundError:
        raise Refusal(f"no {path}: run `dvc repro` in the repository's root") from None


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
