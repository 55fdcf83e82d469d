"""Prove that no net is scored on a photograph it learned from, by the photographs' pixels, whatever their names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.core import files
from pipeline.core.types import Refusal

Photographs = Mapping[str, str]
"""The id of each photograph of a split, by fingerprint."""


def leaks(reports: Path, recipes: Mapping[str, Mapping[str, Any]], out: Path) -> None:
    """Write ``out``: for every split a recipe is scored on, how many of its photographs each other split holds too.

    ``reports`` holds ``<dataset>/fingerprints.parquet``. Raises Refusal, naming a photograph, when what a row
    learned from (``data``) and what it is scored on (``evaluate``) share one.
    """
    splits = _splits(reports)
    for name, row in recipes.items():
        _check(name, _split(row["data"]), _split(row["evaluate"]), splits)
    scored = sorted({_split(row["evaluate"]) for row in recipes.values()})
    counts = {
        split: {other: len(splits[split].keys() & splits[other].keys()) for other in splits if other != split}
        for split in scored
    }
    files.write_json(out, counts)


def _check(recipe: str, train: str, evaluate: str, splits: Mapping[str, Photographs]) -> None:
    for split in (train, evaluate):
        if split not in splits:
            raise Refusal(f"{recipe} names {split}, but the described splits are {', '.join(splits)}")
    both = sorted(splits[train].keys() & splits[evaluate].keys(), key=lambda digest: splits[evaluate][digest])
    if both:
        learned, scored = splits[train][both[0]], splits[evaluate][both[0]]
        raise Refusal(
            f"{recipe} trains on {train} and is scored on {evaluate}, which share {len(both)} photographs: "
            f"{learned} of the one is {scored} of the other; leave them out of one"
        )


def _split(row: Mapping[str, str]) -> str:
    return f"{row['shards']}/{row['split']}"


def _splits(reports: Path) -> dict[str, dict[str, str]]:
    splits: dict[str, dict[str, str]] = {}
    for path in sorted(reports.glob("*/fingerprints.parquet")):
        for row in pq.read_table(path).to_pylist():
            splits.setdefault(f"{path.parent.name}/{row['split']}", {}).setdefault(row["sha256"], row["id"])
    return splits
