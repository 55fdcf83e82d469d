"""Look at every sample of a split once: sizes, classes per image, and a fingerprint of its pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pipeline.shards.reader import Shards
from pipeline.shards.schema import Manifest, read_manifest


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What one walk over a split learned.

    ``heights`` and ``widths`` are in pixels and row order; ``images`` counts per head and class the images that show
    it; ``fingerprints`` are sha256s of the photographs' decoded pixels, so a photograph packed anew keeps its own.
    """

    manifest: Manifest
    heights: tuple[int, ...]
    widths: tuple[int, ...]
    images: Mapping[str, tuple[int, ...]]
    fingerprints: tuple[str, ...]


def survey(folder: Path) -> Survey:
    """Walk the split in ``folder``, decoding photographs and labels only."""
    spec = read_manifest(folder).spec
    shards = Shards(folder, columns=[spec.images[0], *spec.labels])
    sizes, fingerprints = [], []
    shown = {head: np.zeros(len(label.classes), np.int64) for head, label in spec.labels.items()}
    rows = (shards[row] for row in range(len(shards)))
    name = f"{spec.name}/{shards.manifest.split}"
    for example in tqdm(rows, desc=f"describe {name}", total=len(shards), unit="image", disable=None):
        image = example.images[spec.images[0]]
        sizes.append(image.shape[:2])
        fingerprints.append(fingerprint(image))
        for head, label in example.labels.items():
            shown[head] += np.bincount(label.ravel(), minlength=256)[: len(shown[head])] > 0
    return Survey(
        manifest=shards.manifest,
        heights=tuple(height for height, _ in sizes),
        widths=tuple(width for _, width in sizes),
        images={head: tuple(counts.tolist()) for head, counts in shown.items()},
        fingerprints=tuple(fingerprints),
    )


def fingerprint(image: NDArray[Any]) -> str:
    """sha256 over shape and pixels."""
    return hashlib.sha256(str(image.shape).encode() + image.tobytes()).hexdigest()


def facts(found: Survey) -> dict[str, Any]:
    """The numbers of a split, as they go into metrics.json; shares are fractions of all labelled pixels (void: of all).

    Lists would be no metrics to DVC and MLflow, so channels are keyed "0", "1", "2" in the order stored.
    """
    manifest = found.manifest
    columns = {
        column: {
            name: {str(channel): value for channel, value in enumerate(getattr(moments, name))}
            for name in ("mean", "std")
        }
        for column, moments in manifest.moments.items()
    }
    return {
        "images": manifest.rows,
        "height": _spread(found.heights),
        "width": _spread(found.widths),
        "sizes": len(set(zip(found.heights, found.widths, strict=True))),
        "columns": columns,
        "labels": {head: _classes(found, head) for head in manifest.spec.labels},
        "duplicates": len(found.fingerprints) - len(set(found.fingerprints)),
    }


def _classes(found: Survey, head: str) -> dict[str, Any]:
    names = found.manifest.spec.labels[head].classes
    pixels = found.manifest.pixels[head]
    labelled = sum(pixels[name] for name in names)
    return {
        "void": pixels["void"] / (labelled + pixels["void"]),
        "absent": sum(not pixels[name] for name in names),
        "share": {name: pixels[name] / labelled for name in names},
        "images": dict(zip(names, found.images[head], strict=True)),
    }


def _spread(pixels: tuple[int, ...]) -> dict[str, float]:
    return {"least": min(pixels), "median": median(pixels), "most": max(pixels)}
