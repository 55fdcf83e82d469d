"""What dvc.lock says happened, entry by entry."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.core.types import Refusal
from pipeline.tracking import record

PUBLISH = "publish"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, where libyaml is


@dataclass(frozen=True)
class Entry:
    """One stage's entry: its command, the hashes of what it read and wrote by path, its params by dotted name.

    ``desc`` is what dvc.yaml says that it does.
    """

    stage: str
    cmd: str
    deps: Mapping[str, str]
    outs: Mapping[str, str]
    params: Mapping[str, str]
    desc: str = ""

    @property
    def key(self) -> str:
        """The foreach key (``voc-fcn8s`` of ``train@voc-fcn8s``), empty for a plain stage."""
        return self.stage.partition("@")[2]

    @property
    def inputs(self) -> str:
        """The stage's fingerprint: digest of everything that may decide the outputs' bytes."""
        return digest([self.cmd, self.deps, self.params, sorted(self.outs)])

    @property
    def outputs(self) -> str:
        return digest(self.outs)


def entries(root: Path) -> dict[str, Entry]:
    """dvc.lock's entries of the stages that dvc.yaml has now, in its order; publish itself is left out.

    dvc.lock also remembers stages of another scale: they are no part of this pipeline. A stage that never ran has no
    entry. Raises Refusal when there is no dvc.lock, or it has none of the stages.
    """
    locked = _yaml(root / "dvc.lock").get("stages") or {}
    told = stages(root).items()
    found = {name: _entry(name, locked[name], desc) for name, desc in told if name in locked and name != PUBLISH}
    if not found:
        raise Refusal(f"{root / 'dvc.lock'} has no entry of any stage in dvc.yaml: run `dvc repro`")
    return found


def stages(root: Path) -> dict[str, str]:
    """dvc.yaml's stages by address, ``train@voc-fcn8s`` for a foreach over params.yaml's map, with what each does.

    ``${item.init}`` stands there as ``${recipes.voc-fcn8s.init}``.
    """
    params = _yaml(root / "params.yaml")
    found = {}
    for name, body in _yaml(root / "dvc.yaml")["stages"].items():
        if "matrix" in body:
            raise Refusal(f"dvc.yaml: {name} is a matrix, which publish cannot read: write it as a foreach over a map")
        if "foreach" not in body:
            found[name] = body.get("desc", "")
            continue
        desc, group = (body.get("do") or {}).get("desc", ""), str(body["foreach"]).strip("${} ")
        for key in _keys(body["foreach"], params):
            found[f"{name}@{key}"] = desc.replace("${key}", key).replace("${item.", f"${{{group}.{key}.")
    return found


def pipeline(found: Iterable[Entry]) -> str:
    """The digest of all of ``found`` together: MLflow's parent run and the tag ``pipeline.…`` of its runs bear it."""
    return digest([[entry.stage, entry.inputs, entry.outs] for entry in found])


def upstream(entry: Entry, found: Mapping[str, Entry]) -> list[Entry]:
    """The entries whose outputs ``entry`` reads, directly."""
    others = [other for other in found.values() if other.stage != entry.stage]
    return [other for other in others if any(overlap(dep, out) for dep in entry.deps for out in other.outs)]


def overlap(dep: str, out: str) -> bool:
    """Whether one path is the other or lies in it."""
    return dep == out or dep.startswith(f"{out}/") or out.startswith(f"{dep}/")


def _entry(stage: str, row: Mapping[str, Any], desc: str) -> Entry:
    params: dict[str, str] = {}
    for leaves in (row.get("params") or {}).values():
        params |= record.dotted(leaves)
    filled = re.sub(r"\$\{([\w.-]+)\}", lambda name: params.get(name[1], name[0]), desc)
    return Entry(stage, str(row["cmd"]), _hashes(row.get("deps")), _hashes(row.get("outs")), params, filled)


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


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
