"""Write what a converted dataset holds: numbers to compare, pictures to look at, fingerprints to find images by."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tqdm import tqdm

from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.describe.pictures import Pair, bars, couples, sheet
from pipeline.shards.reader import Shards
from pipeline.shards.schema import MANIFEST, Manifest, read_manifest

ROWS, COLUMNS = 8, 9  # cells of the grid; a bit for each two neighbours of a row
ALIKE = 4  # bits of 64 that differ at most
FEW = 8  # bits that a picture needs of either value: one with less, such as a plain wall, looks like many
FINGERPRINTS = pa.schema([("split", pa.string()), ("id", pa.string()), ("sha256", pa.string())])


class Survey(NamedTuple):
    """What one walk over a split learned.

    ``facts`` go into metrics.json; ``fingerprints`` are sha256s of the photographs' decoded pixels, in row order, so a
    photograph packed anew keeps its own; ``hashes`` are what they look like.
    """

    manifest: Manifest
    facts: dict[str, Any]
    fingerprints: Sequence[str]
    hashes: Sequence[int]


def describe(shards: Path, out: Path) -> list[str]:
    """Write into ``out``, from every split's folder in ``shards``:

    ``metrics.json``: per split the counts, sizes, means, class and void shares, and duplicates; how many images any two
    splits share, and how many of the second only look like one of the first. ``classes/<split>-<head>.csv`` and
    ``pictures/classes-<head>.png``: how often each class occurs. ``pictures/sheet-<split>.png``: contact sheets.
    ``fingerprints.parquet``: split, id and sha256 of the pixels.

    Returns a line for each two splits with images that look alike; ``pictures/alike.png`` shows the first.
    Raises Refusal where there is no finished split.
    """
    folders = sorted(path.parent for path in shards.glob(f"*/{MANIFEST}"))
    if not folders:
        raise Refusal(f"{shards} holds no finished split: run its convert stage")
    found = {folder.name: survey(folder) for folder in folders}
    pairs = {splits: _pairs(*(found[split] for split in splits)) for splits in combinations(found, 2)}
    with files.replacing(out / "pictures") as pictures, files.replacing(out / "classes") as classes:
        pictures.mkdir()
        classes.mkdir()
        for folder in folders:
            sheet(folder).save(pictures / f"sheet-{folder.name}.png")
        if any(pairs.values()):
            couples([shards / split for split in found], pairs).save(pictures / "alike.png")
        spec = found[folders[0].name].manifest.spec
        for head, label in spec.labels.items():
            tables = {split: one.facts["labels"][head] for split, one in found.items()}
            bars(pictures / f"classes-{head}.png", f"{spec.name}: {head}", label, tables)
            for split, table in tables.items():
                frame = pd.DataFrame({name: table[name] for name in ("share", "images")})
                frame.to_csv(classes / f"{split}-{head}.csv", index_label="class", lineterminator="\n")
    _write_fingerprints(out / "fingerprints.parquet", found)
    shared: dict[str, dict[str, int]] = {}
    near: dict[str, dict[str, int]] = {}
    for (one, other), alikes in pairs.items():
        shared.setdefault(one, {})[other] = len({*found[one].fingerprints} & {*found[other].fingerprints})
        near.setdefault(one, {})[other] = len(alikes)
    numbers = {split: one.facts for split, one in found.items()}
    files.write_json(out / "metrics.json", {"splits": numbers, "shared": shared, "alike": near})
    return [_told(found, *splits, alikes) for splits, alikes in pairs.items() if alikes]


def _pairs(one: Survey, other: Survey) -> list[Pair]:
    """Each image of ``other`` that looks like one of ``one``, but is none of them; the most alike first."""
    same = {*one.fingerprints}
    found = (pair for pair in alike(one.hashes, other.hashes) if other.fingerprints[pair[1]] not in same)
    return sorted(found, key=lambda pair: (pair[2], pair))


def _told(found: Mapping[str, Survey], one: str, other: str, pairs: Sequence[Pair]) -> str:
    first, second, bits = pairs[0]
    count = f"{len(pairs)} of {len(found[other].fingerprints)} images of {other} look like one of {one}"
    names = f"{found[other].manifest.ids[second]} like {found[one].manifest.ids[first]} ({bits} of 64 bits differ)"
    return f"{count}, as {names}: look at pictures/alike.png"


def _write_fingerprints(path: Path, found: Mapping[str, Survey]) -> None:
    rows = [
        {"split": split, "id": name, "sha256": digest}
        for split, one in found.items()
        for name, digest in zip(one.manifest.ids, one.fingerprints, strict=True)
    ]
    with files.replacing(path) as scratch:
        pq.write_table(pa.Table.from_pylist(rows, schema=FINGERPRINTS), scratch, compression="none")


def survey(folder: Path) -> Survey:
    """Walk the split in ``folder``, decoding photographs and labels only.

    Shares are fractions of all labelled pixels (void: of all). Lists would be no metrics to DVC and MLflow, so channels
    are keyed "0", "1", "2" in the order stored.
    """
    spec = read_manifest(folder).spec
    shards = Shards(folder, columns=[spec.images[0], *spec.labels])
    sizes: list[tuple[int, ...]] = []
    fingerprints, hashes = [], []
    shown = {head: np.zeros(len(label.classes), np.int64) for head, label in spec.labels.items()}
    rows = (shards[row] for row in range(len(shards)))
    name = f"{spec.name}/{shards.manifest.split}"
    for example in tqdm(rows, desc=f"describe {name}", total=len(shards), unit="image", disable=None):
        image = example.images[spec.images[0]]
        sizes.append(image.shape[:2])
        fingerprints.append(hashlib.sha256(str(image.shape).encode() + image.tobytes()).hexdigest())
        hashes.append(difference_hash(image))
        for head, label in example.labels.items():
            shown[head] += np.bincount(label.ravel(), minlength=256)[: len(shown[head])] > 0
    manifest = shards.manifest
    heights, widths = (
        {"least": min(side), "median": median(side), "most": max(side)} for side in zip(*sizes, strict=True)
    )
    facts = {
        "images": manifest.rows,
        "height": heights,
        "width": widths,
        "sizes": len(set(sizes)),
        "columns": {
            column: {name: dict(zip("012", getattr(moments, name), strict=False)) for name in ("mean", "std")}
            for column, moments in manifest.moments.items()
        },
        "labels": {head: _classes(manifest, head, counts.tolist()) for head, counts in shown.items()},
        "duplicates": len(fingerprints) - len(set(fingerprints)),
    }
    return Survey(manifest, facts, fingerprints, hashes)


def _classes(manifest: Manifest, head: str, images: Sequence[int]) -> dict[str, Any]:
    """``images`` counts by class those that show it."""
    names, pixels = manifest.spec.labels[head].classes, manifest.pixels[head]
    labelled = sum(pixels[name] for name in names)
    return {
        "void": pixels["void"] / (labelled + pixels["void"]),
        "absent": sum(not pixels[name] for name in names),
        "share": {name: pixels[name] / labelled for name in names},
        "images": dict(zip(names, images, strict=True)),
    }


def difference_hash(image: NDArray[np.uint8]) -> int:
    """64 bits of H×W×3 RGB: which cells of an 8×9 grid are brighter than their right neighbour, row by row.

    On whole numbers, so the same on every processor. 0 for a picture with too little in it to be told from others.
    """
    height, width = image.shape[:2]
    tops, lefts = (np.arange(cells) * side // cells for cells, side in ((ROWS, height), (COLUMNS, width)))
    sums = np.add.reduceat(np.add.reduceat(image, tops, 0, dtype=np.int64), lefts, 1) @ np.array([299, 587, 114])
    widths = np.maximum(np.diff(lefts, append=width), 1)
    bits = sums[:, :-1] * widths[1:] > sums[:, 1:] * widths[:-1]
    if not FEW <= int(bits.sum()) <= bits.size - FEW:
        return 0
    return int.from_bytes(np.packbits(bits).tobytes())


def alike(one: Sequence[int], other: Sequence[int]) -> Iterator[Pair]:
    """For each hash of ``other``, the nearest in ``one`` of which at most ``ALIKE`` bits differ, where there is one.

    A million comparisons take about 4 ms.
    """
    ones = np.array(one, np.uint64)
    for place, value in enumerate(other):
        if value and len(ones):
            distances = np.where(ones, np.bitwise_count(ones ^ np.uint64(value)), 64)
            nearest = int(distances.argmin())
            if distances[nearest] <= ALIKE:
                yield nearest, place, int(distances[nearest])
