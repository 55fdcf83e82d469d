"""What a stage's outputs tell a reader: metrics, curves, tables, pictures, histograms; weights stay where they are."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.tracking import confusion
from pipeline.tracking.record import Confusion, Curve, key

POINTS = 300  # per curve: more makes comparing many runs slow and shows nothing new
ATTACHED = (".csv", ".html", ".md", ".png")
HIST = "hist.parquet"
STEP = "iteration"  # the first column of a table of curves
COPIES = ("curve.tsv",)  # the curve of a training, whose own run has it


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a stage's outputs tell; ``missing`` are files that are not on this disk, or not as dvc.lock has them."""

    metrics: dict[str, float] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    artifacts: list[Path] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    confusions: Mapping[str, Confusion] = field(default_factory=dict)
    missing: Sequence[str] = ()


def read(root: Path, outs: Mapping[str, str]) -> Written:
    """Read the outputs at ``root``/``outs`` (md5 by path) that are for reading.

    A JSON file's numbers are metrics and its top-level texts facts; the columns of a TSV file by iteration are curves;
    hist.parquet holds a histogram per head; PNG, Markdown, CSV and other TSV files are artifacts. Of an output folder
    only what lies directly in it counts, and of its JSON files only metrics.json. A file must have its md5; what lies
    in a folder is taken as it is, for its files' hashes are in DVC's cache alone.
    """
    files = [(path, md5) for out, md5 in outs.items() for path in _readable(root, out)]
    here = [path for path, md5 in files if path.is_file() and _md5(path, md5) == md5]
    metrics: dict[str, float] = {}
    curves: dict[str, Curve] = {}
    facts: dict[str, str] = {}
    for path in here:
        if path.suffix == ".json":
            tree = json.loads(path.read_text(encoding="utf-8"))
            metrics |= dict(_numbers(tree))
            facts |= {key(name): value for name, value in tree.items() if isinstance(value, str) and value}
        elif _curved(path):
            curves |= read_curves(path)
    return Written(
        metrics=metrics,
        curves=curves,
        facts=facts,
        artifacts=[path for path in here if path.suffix in (".tsv", *ATTACHED) and not _curved(path)],
        confusions={head: each for path in here if path.name == HIST for head, each in confusion.read(path).items()},
        missing=[path.relative_to(root).as_posix() for path, _ in files if path not in here],
    )


def _readable(root: Path, out: str) -> Iterator[Path]:
    path = root / out
    if path.is_dir():
        inside = sorted(path.iterdir())
        yield from (file for file in inside if file.name == "metrics.json" or file.suffix in (".tsv", *ATTACHED))
    elif path.name == HIST or (path.suffix in (".json", ".tsv", *ATTACHED) and path.name not in COPIES):
        yield path


def _curved(path: Path) -> bool:
    if path.suffix != ".tsv":
        return False
    with path.open(encoding="utf-8") as file:
        return file.readline().rstrip("\n").partition("\t")[0] == STEP


def _md5(path: Path, locked: str) -> str:
    return locked if locked.endswith(".dir") else hashlib.md5(path.read_bytes()).hexdigest()


def read_curves(path: Path) -> dict[str, Curve]:
    """``{column: [(iteration, value), …]}`` of a tab-separated file, at most ``POINTS`` each, the last among them."""
    with path.open(encoding="utf-8", newline="") as file:
        _, *names = next(rows := csv.reader(file, delimiter="\t"), ["iteration"])
        table = [[int(first), *map(float, rest)] for first, *rest in rows]
    every = math.ceil(len(table) / POINTS) or 1
    kept = table[::-1][::every][::-1]
    return {key(name): [(int(row[0]), row[i]) for row in kept] for i, name in enumerate(names, 1)}


def _numbers(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield key(f"{prefix}{name}"), float(value)
