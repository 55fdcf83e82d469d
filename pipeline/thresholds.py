"""What a candidate for promotion must reach, by scale and data set: conf/gate.yaml, typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.core import fields
from pipeline.core.types import Refusal

DEFAULTS, CANDIDATE = "defaults", "candidate"


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """All numbers are fractions in [0, 1).

    ``floor`` is the least mean IU, ``tolerance`` how much mean IU and ``class_drop`` how much of one class's IU may be
    lost to the champion. ``heads`` decide, others are told only; ``proofs`` are the stages (``train``, ``evaluate``)
    that must have come out the same twice.
    """

    floor: float = fields.bounded(least=0.0, below=1.0)
    tolerance: float = fields.bounded(least=0.0, below=1.0)
    class_drop: float = fields.bounded(least=0.0, below=1.0)
    heads: tuple[str, ...]
    proofs: tuple[str, ...]


def read(path: Path, scale: str, dataset: str) -> Thresholds:
    """The row ``<scale>.<dataset>`` of the YAML file over its ``defaults``, which serve where there is no such row.

    Every row is looked at, so that a slip in one is told before it matters. Raises Refusal naming file, key and remedy.
    """
    defaults, rows = _tree(path)
    found = {(DEFAULTS, ""): fields.read(Thresholds, f"{path.name}: {DEFAULTS}", defaults)}
    for (group, key), row in rows.items():
        own = {name: value for name, value in row.items() if name != CANDIDATE}
        found[group, key] = fields.read(Thresholds, f"{path.name}: {group}.{key}", {**defaults, **own})
    return found.get((scale, dataset), found[DEFAULTS, ""])


def candidates(path: Path, scale: str) -> list[str]:
    """The recipes that CI offers for promotion at ``scale``: each row's ``candidate``, where it names one.

    Raises Refusal as ``read`` does.
    """
    read(path, scale, "")
    return [str(row[CANDIDATE]) for (group, _), row in _tree(path)[1].items() if group == scale and CANDIDATE in row]


def _tree(path: Path) -> tuple[Mapping[str, Any], dict[tuple[str, str], Mapping[str, Any]]]:
    """The defaults, and the rows by scale and data set."""
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refusal(f"no {path}: it says what a promotion must reach; `git checkout` it") from None
    except yaml.YAMLError as error:
        raise Refusal(f"{path} is no YAML ({' '.join(str(error).split())}): mend it") from None
    tree = _map(path.name, tree)
    defaults = _map(f"{path.name}: {DEFAULTS}", tree.get(DEFAULTS))
    groups = {group: _map(f"{path.name}: {group}", tree[group]) for group in tree if group != DEFAULTS}
    rows = {
        (group, key): _map(f"{path.name}: {group}.{key}", row) for group in groups for key, row in groups[group].items()
    }
    return defaults, rows


def _map(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Refusal(f"{name} is {value!r}: write a map")
    return value
