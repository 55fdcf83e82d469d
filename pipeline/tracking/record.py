"""A stage's run as a tracker will show it: plain values and files to attach, read from what the stage wrote."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

POINTS = 300  # per curve: more makes comparing many runs slow and shows nothing new
PARAM_CHARS = 6000  # MLflow's longest param
ATTACHED = (".csv", ".md", ".png")

Curve = Sequence[tuple[int, float]]


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One entry of dvc.lock, or the pipeline as a whole; every key is one that MLflow accepts.

    ``metrics`` are single numbers, ``curves`` numbers by iteration. ``artifacts`` are files to attach, PNGs as images
    to compare; ``texts`` are attached under their keys.
    """

    stage: str
    tags: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    artifacts: Sequence[Path] = ()
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a stage's outputs tell; ``missing`` are files that are not on this disk."""

    metrics: Mapping[str, float]
    curves: Mapping[str, Curve]
    artifacts: Sequence[Path]
    facts: Mapping[str, str]
    missing: Sequence[str]


def read(root: Path, outs: Iterable[str]) -> Written:
    """Read the outputs at ``root``/``outs`` that are for reading: metrics, curves, tables, pictures.

    A JSON file's numbers are metrics and its top-level texts facts; a TSV file's columns are curves by its first one;
    PNG, Markdown and CSV files are artifacts. Of an output folder only what lies directly in it counts, and of its
    JSON files only metrics.json. Everything else, weights above all, stays with DVC.
    """
    metrics: dict[str, float] = {}
    curves: dict[str, Curve] = {}
    facts: dict[str, str] = {}
    artifacts: list[Path] = []
    missing: list[str] = []
    for path in (path for out in outs for path in _readable(root, out)):
        if not path.is_file():
            missing.append(path.relative_to(root).as_posix())
        elif path.suffix == ".json":
            tree = json.loads(path.read_text(encoding="utf-8"))
            metrics |= dict(_numbers(tree))
            facts |= {key(name): value for name, value in tree.items() if isinstance(value, str)}
        elif path.suffix == ".tsv":
            curves |= read_curves(path)
        else:
            artifacts.append(path)
    return Written(metrics=metrics, curves=curves, artifacts=artifacts, facts=facts, missing=missing)


def _readable(root: Path, out: str) -> Iterator[Path]:
    path = root / out
    if path.is_dir():
        inside = sorted(path.iterdir())
        yield from (file for file in inside if file.name == "metrics.json" or file.suffix in (".tsv", *ATTACHED))
    elif path.suffix in (".json", ".tsv", *ATTACHED):
        yield path


def read_curves(path: Path) -> dict[str, Curve]:
    """``{column: [(iteration, value), …]}`` of a tab-separated file, at most ``POINTS`` each, the last among them."""
    with path.open(encoding="utf-8", newline="") as file:
        _, *names = next(rows := csv.reader(file, delimiter="\t"), ["iteration"])
        table = [[int(first), *map(float, rest)] for first, *rest in rows]
    every = math.ceil(len(table) / POINTS) or 1
    kept = table[::-1][::every][::-1]
    return {key(name): [(int(row[0]), row[i]) for row in kept] for i, name in enumerate(names, 1)}


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


def _numbers(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield key(f"{prefix}{name}"), float(value)
