"""Tell what a converted dataset holds: numbers to compare, pictures to look at, fingerprints to find images by."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.describe.bars import bars
from pipeline.describe.sheet import sheet
from pipeline.describe.survey import Survey, facts, survey
from pipeline.shards.schema import MANIFEST

FINGERPRINTS = pa.schema([("split", pa.string()), ("id", pa.string()), ("sha256", pa.string())])


def describe(shards: Path, out: Path) -> None:
    """Write into ``out``, from every split's folder in ``shards``:

    ``metrics.json``: per split the counts, sizes, means, class and void shares, and duplicates; how many images any two
    splits share. ``classes/<split>-<head>.csv`` and ``pictures/classes-<head>.png``: how often each class occurs.
    ``pictures/sheet-<split>.png``: contact sheets. ``fingerprints.parquet``: split, id and sha256 of the pixels.

    Raises Refusal where there is no finished split.
    """
    folders = sorted(path.parent for path in shards.glob(f"*/{MANIFEST}"))
    if not folders:
        raise Refusal(f"{shards} holds no finished split: run its convert stage")
    found = {folder.name: survey(folder) for folder in folders}
    numbers = {split: facts(one) for split, one in found.items()}
    _write_pictures(out / "pictures", folders, found, numbers)
    _write_classes(out / "classes", numbers)
    _write_fingerprints(out / "fingerprints.parquet", found)
    files.write_json(out / "metrics.json", {"splits": numbers, "shared": shared(found)})


def shared(found: Mapping[str, Survey]) -> dict[str, dict[str, int]]:
    """How many photographs of one split stand in another as well, pixel for pixel: {split: {later split: images}}."""
    counts: dict[str, dict[str, int]] = {}
    for one, other in combinations(found, 2):
        both = set(found[one].fingerprints) & set(found[other].fingerprints)
        counts.setdefault(one, {})[other] = len(both)
    return counts


def _write_pictures(
    out: Path, folders: list[Path], found: Mapping[str, Survey], numbers: Mapping[str, dict[str, Any]]
) -> None:
    spec = next(iter(found.values())).manifest.spec
    with files.replacing(out) as scratch:
        scratch.mkdir()
        for folder in folders:
            sheet(folder).save(scratch / f"sheet-{folder.name}.png")
        for head, label in spec.labels.items():
            shares = {split: told["labels"][head]["share"] for split, told in numbers.items()}
            bars(scratch / f"classes-{head}.png", f"{spec.name}: {head}", label, shares)


def _write_classes(out: Path, numbers: Mapping[str, dict[str, Any]]) -> None:
    with files.replacing(out) as scratch:
        scratch.mkdir()
        for split, told in numbers.items():
            for head, label in told["labels"].items():
                with (scratch / f"{split}-{head}.csv").open("w", encoding="utf-8", newline="") as file:
                    rows = csv.writer(file, lineterminator="\n")
                    rows.writerow(["class", "share", "images"])
                    rows.writerows([name, label["share"][name], label["images"][name]] for name in label["share"])


def _write_fingerprints(path: Path, found: Mapping[str, Survey]) -> None:
    rows = [
        {"split": split, "id": name, "sha256": digest}
        for split, one in found.items()
        for name, digest in zip(one.manifest.ids, one.fingerprints, strict=True)
    ]
    with files.replacing(path) as scratch:
        pq.write_table(pa.Table.from_pylist(rows, schema=FINGERPRINTS), scratch, compression="none")
