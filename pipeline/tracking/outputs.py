"""What a stage read and wrote, as far as its run shows it: scores, curves, tables, pictures; weights stay in DVC."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.tracking.record import Curve, Split, key

ATTACHED = (".json", ".csv", ".html", ".md", ".png", ".tsv")
HIST, METRICS, CLASSES, MANIFEST = "hist.parquet", "metrics.json", "classes.json", "_manifest.json"
EVALUATIONS = "eval"
STEP = "iteration"  # the first column of a table of curves
COPY = "curve.tsv"  # an evaluation's, of the curve of a training, whose own run has it
SHARDS = "data/shards/"
DIGEST = 36  # characters of a data set's digest that MLflow takes; the whole stands in its profile


@dataclass(kw_only=True)
class Outputs:
    """What a stage wrote; ``missing`` are files that are not on this disk, or not as dvc.lock has them."""

    metrics: dict[str, float] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    artifacts: list[Path] = field(default_factory=list)
    hist: Path | None = None
    missing: list[str] = field(default_factory=list)


def read_outputs(root: Path, outs: Mapping[str, str]) -> Outputs:
    """Read the outputs at ``root``/``outs`` (md5 by path) that are for reading.

    The numbers of a head in an evaluation's JSON file are metrics, ``mean_iu/semantic``, and its texts facts; the
    columns of a TSV file by iteration are curves; tables and pictures are artifacts. Of an output folder only what lies
    directly in it counts, and of its JSON files only metrics.json. A file must have its md5; what lies in a folder is
    taken as it is, for its files' hashes are in DVC's cache alone.
    """
    found = Outputs()
    for path, md5 in ((path, md5) for out, md5 in outs.items() for path in _readable(root, out)):
        if not (path.is_file() and (md5.endswith(".dir") or hashlib.md5(path.read_bytes()).hexdigest() == md5)):
            found.missing.append(path.relative_to(root).as_posix())
        elif path.name == HIST:
            found.hist = path
        elif curves := read_curves(path):
            found.curves.update(curves)
        else:
            found.artifacts.append(path)
            if path.suffix == ".json" and path.is_relative_to(root / EVALUATIONS):
                _read_scores(path, found)
    return found


def read_curves(path: Path) -> dict[str, Curve]:
    """``{column: [(iteration, value), …]}`` of a tab-separated file by iteration; empty for any other."""
    if path.suffix != ".tsv":
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        first, *names = next(rows := csv.reader(file, delimiter="\t"), [""])
        table = [[int(step), *map(float, rest)] for step, *rest in rows] if first == STEP else []
    return {key(name): [(int(row[0]), row[i]) for row in table] for i, name in enumerate(names, 1) if table}


def read_splits(
    root: Path, deps: Iterable[str], sources: Mapping[str, str], context: str
) -> tuple[list[Split], list[str]]:
    """The splits in the folders ``deps`` under data/shards/, and the manifests or folders that are not on this disk.

    ``sources`` gives by a data set's key its archive's URL, or the path that it was rendered to.
    """
    splits: list[Split] = []
    missing = []
    for dep in deps:
        if not dep.startswith(SHARDS):
            continue
        one = dep.removeprefix(SHARDS).count("/")
        manifests = [root / dep / MANIFEST] if one else sorted((root / dep).glob(f"*/{MANIFEST}"))
        missing += [] if manifests else [dep]
        for path in manifests:
            if not path.is_file():
                missing.append(path.relative_to(root).as_posix())
                continue
            name = path.parent.relative_to(root / SHARDS).as_posix()
            manifest, source = json.loads(path.read_bytes()), sources.get(name.partition("/")[0], dep)
            remote, digest = "://" in source, manifest["digest"]  # sha256 over ids and encoded bytes
            split = {"name": name, "digest": digest[:DIGEST], "source_type": "http" if remote else "local"}
            split["source"] = json.dumps({"url" if remote else "uri": source})
            split["profile"] = json.dumps({"digest": digest, "rows": len(manifest["ids"])})
            splits.append({**split, "context": context})
    return splits, missing


def _readable(root: Path, out: str) -> Iterator[Path]:
    path = root / out
    if path.is_dir():
        inside = sorted(path.iterdir())
        yield from (file for file in inside if file.name == METRICS or file.suffix in ATTACHED[1:])
    elif path.name == HIST or (path.suffix in ATTACHED and path.name != COPY):
        yield path


def _read_scores(path: Path, found: Outputs) -> None:
    tree: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name, value in tree.items():
        if isinstance(value, str) and value:
            found.facts[key(name)] = value
        elif isinstance(value, Mapping) and path.name != CLASSES:
            numbers = {k: v for k, v in value.items() if isinstance(v, int | float) and not isinstance(v, bool)}
            found.metrics.update({key(f"{score}/{name}"): float(v) for score, v in numbers.items()})
