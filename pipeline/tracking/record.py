"""A stage's run as MLflow will show it: plain values and files to attach, under keys that MLflow accepts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PARAM_CHARS = 6000  # MLflow's longest param

Curve = Sequence[tuple[int, float]]
Split = Mapping[str, str]  # the fields of MLflow's Dataset, and ``context``: what the shards were read for


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One entry of dvc.lock, or the pipeline as a whole; every key is one that MLflow accepts.

    ``origin`` are tags that tell where and when a run was made: one that is there already keeps its own.
    ``metrics`` are single numbers, ``curves`` numbers by iteration. ``artifacts`` are files to attach, PNGs as images
    to compare; ``texts`` are attached under their keys. ``splits`` are the shards that were read, ``hist`` the file of
    an evaluation's counts. ``missing`` are files that were not here to read, so that they can be added later.
    """

    stage: str
    tags: Mapping[str, str]
    origin: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    artifacts: Sequence[Path] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    splits: Sequence[Split] = ()
    hist: Path | None = None
    missing: Sequence[str] = ()


def canonical(value: Any) -> str:
    """A param as text: equal values give equal text, whichever YAML reader they came through."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def shortened(text: str) -> str:
    """``text`` cut to what MLflow takes as a param."""
    return text if len(text) <= PARAM_CHARS else text[: PARAM_CHARS - 1] + "…"


def dotted(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A nested map's leaves by dotted name, canonical; names that are dotted already stay as they are."""
    leaves: dict[str, str] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            leaves |= dotted(value, f"{prefix}{name}.")
        else:
            leaves[key(f"{prefix}{name}")] = canonical(value)
    return leaves


def keyless(name: str, key: str) -> str:
    """``recipes.voc-fcn8s.solver.lr`` as ``recipes.solver.lr``: a column of its own for all recipes."""
    return name.replace(f".{key}.", ".", 1) if key else name


def key(name: str) -> str:
    """``name`` with every character that MLflow refuses in a key made an underscore, and no empty or dotted folder."""
    steps = re.sub(r"[^\w/.\- :]", "_", name).split("/")
    return "/".join(step if step.strip(".") else "_" for step in steps)
