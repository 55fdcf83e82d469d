"""Write what a converted dataset holds: numbers to compare, pictures to look at, fingerprints to find images by."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.describe.pictures import bars, sheet
from pipeline.describe.survey import Survey, survey
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
    with files.replacing(out / "pictures") as pictures, files.replacing(out / "classes") as classes:
        pictures.mkdir()
        classes.mkdir()
        for folder in folders:
            sheet(folder).save(pictures / f"sheet-{folder.name}.png")
        spec = found[folders[0].name].manifest.spec
        for head, label in spec.labels.items():
            tables = {split: one.facts["labels"][head] for split, one in found.items()}
            bars(pictures / f"classes-{head}.png", f"{spec.name}: {head}", label, tables)
            for split, table in tables.items():
                frame = pd.DataFrame({name: table[name] for name in ("share", "images")})
                frame.to_csv(classes / f"{split}-{head}.csv", index_label="class", lineterminator="\n")
    _write_fingerprints(out / "fingerprints.parquet", found)
    shared: dict[str, dict[str, int]] = {}
    for one, other in combinations(found, 2):
        shared.setdefault(one, {})[other] = len({*found[one].fingerprints} & {*found[other].fingerprints})
    numbers = {split: one.facts for split, one in found.items()}
    files.write_json(out / "metrics.json", {"splits": numbers, "shared": shared})


def _write_fingerprints(path: Path, found: Mapping[str, Survey]) -> None:
    rows = [
        {"split": split, "id": name, "sha256": digest}
        for split, one in found.items()
        for name, digest in zip(one.manifest.ids, one.fingerprints, strict=True)
    ]
    with files.replacing(path) as scratch:
        pq.write_table(pa.Table.from_pylist(rows, schema=FINGERPRINTS), scratch, compression="none")
