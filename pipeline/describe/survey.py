"""Look at every sample of a split once: sizes, classes per image, and a fingerprint of its pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from pipeline.shards.reader import Shards
from pipeline.shards.schema import Manifest, read_manifest


class Survey(NamedTuple):
    """What one walk over a split learned.

    ``facts`` go into metrics.json; ``fingerprints`` are sha256s of the photographs' decoded pixels, in row order, so a
    photograph packed anew keeps its own.
    """

    manifest: Manifest
    facts: dict[str, Any]
    fingerprints: Sequence[str]


def survey(folder: Path) -> Survey:
    """Walk the split in ``folder``, decoding photographs and labels only.

    Shares are fractions of all labelled pixels (void: of all). Lists would be no metrics to DVC and MLflow, so channels
    are keyed "0", "1", "2" in the order stored.
    """
    spec = read_manifest(folder).spec
    shards = Shards(folder, columns=[spec.images[0], *spec.labels])
    sizes: list[tuple[int, ...]] = []
    fingerprints = []
    shown = {head: np.zeros(len(label.classes), np.int64) for head, label in spec.labels.items()}
    rows = (shards[row] for row in range(len(shards)))
    name = f"{spec.name}/{shards.manifest.split}"
    for example in tqdm(rows, desc=f"describe {name}", total=len(shards), unit="image", disable=None):
        image = example.images[spec.images[0]]
        sizes.append(image.shape[:2])
        fingerprints.append(hashlib.sha256(str(image.shape).encode() + image.tobytes()).hexdigest())
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
            column: {"mean": _keyed(moments.mean), "std": _keyed(moments.std)}
            for column, moments in manifest.moments.items()
        },
        "labels": {head: _classes(manifest, head, counts.tolist()) for head, counts in shown.items()},
        "duplicates": len(fingerprints) - len(set(fingerprints)),
    }
    return Survey(manifest, facts, fingerprints)


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


def _keyed(channels: Sequence[float]) -> dict[str, float]:
    return {str(channel): value for channel, value in enumerate(channels)}
