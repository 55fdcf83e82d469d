"""A miniature SIFT Flow: rendered landscapes and streets in the original zip's layout, back-slashes and all."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pipeline.miniature.shared import archive
from pipeline.miniature.shared.camera import jpeg
from pipeline.miniature.shared.chance import Chance
from pipeline.miniature.shared.outdoors import GEOMETRIES, KINDS, NAMES, view

COUNTS = ("trainval", "test", "unannotated")
_FOLDER = "spatial_envelope_256x256_static_8outdoorcategories"
_NEVER_TESTED = frozenset({"cow", "desert", "moon"})  # as in the original
_STYLES = ("art", "bost", "land", "natu", "par", "urb")  # the originals' file numbers follow such letters


def render(out: Path, *, seed: int, side: int, trainval: int, test: int, unannotated: int) -> None:
    """Write ``out/SiftFlowDataset.zip``: squares of ``side`` pixels.

    Of the ``unannotated`` images, which belong to no split, every second has no .mat files, the others have maps that
    are void throughout. Cow, desert and moon never occur in ``test``.
    """
    counts = dict(zip(COUNTS, (trainval, test, unannotated), strict=True))
    lists = {pool: [_id(seed, pool, k) for k in range(count)] for pool, count in counts.items()}
    archive.write_zip(out / "SiftFlowDataset.zip", _members(seed, side, lists))


def _id(seed: int, pool: str, k: int) -> str:
    """Pools share no id, and the categories take turns."""
    number = k * len(COUNTS) + COUNTS.index(pool) + 1
    category = KINDS[(k * 3 + COUNTS.index(pool)) % len(KINDS)]
    return f"{category}_{Chance(seed, 'style', str(number)).pick(_STYLES)}{number}"


def _members(seed: int, side: int, lists: dict[str, list[str]]) -> Iterator[archive.Member]:
    test, bare, void = set(lists["test"]), set(lists["unannotated"][::2]), set(lists["unannotated"][1::2])
    names = sorted(name for listed in lists.values() for name in listed)
    for name in tqdm(names, desc="miniature siftflow", unit="image", disable=None):
        shown = view(seed, name, side, _NEVER_TESTED if name in test else frozenset())
        yield f"Images/{_FOLDER}/{name}.jpg", jpeg(shown.image)
        if name not in bare:
            semantic, geometric = shown.semantic, shown.geometric
            if name in void:
                semantic, geometric = np.zeros_like(semantic), np.full_like(geometric, -1)
            yield f"SemanticLabels/{_FOLDER}/{name}.mat", _labels(semantic, NAMES)
            yield f"GeoLabels/{_FOLDER}/{name}.mat", _labels(geometric, GEOMETRIES)
    yield "TestSet1.txt", archive.lines(f"{_FOLDER}\\{name}.jpg" for name in sorted(test))


def _labels(codes: NDArray[np.integer], names: tuple[str, ...]) -> bytes:
    """A map as a double matrix ``S``, with the ``names`` and the ``metaData`` that the original's files hold too."""
    return archive.mat(S=codes.astype(np.float64), names=archive.cell(names), metaData={"classes": float(len(names))})
