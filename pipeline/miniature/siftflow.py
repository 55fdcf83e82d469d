"""A miniature SIFT Flow: rendered landscapes and streets in the original zip's layout, back-slashes and all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pipeline.miniature.shared import _archive
from pipeline.miniature.shared._camera import jpeg
from pipeline.miniature.shared.outdoors import cast
from pipeline.miniature.shared.outdoors.classes import GEOMETRIES, NAMES
from pipeline.miniature.shared.outdoors.scene import render as render_scene
from pipeline.miniature.shared.outdoors.zipped import write_zip

_FOLDER = "spatial_envelope_256x256_static_8outdoorcategories"
_NEVER_TESTED = frozenset({"cow", "desert", "moon"})  # as in the original
COUNTS = ("trainval", "test", "unannotated")


def render(out: Path, *, seed: int, side: int, trainval: int, test: int, unannotated: int) -> None:
    """Write ``out/SiftFlowDataset.zip``: squares of ``side`` pixels.

    Of the ``unannotated`` images, which belong to no split, every second has no .mat files, the others have maps that
    are void throughout. Cow, desert and moon never occur in ``test``.
    """
    lists = {
        "trainval": cast.troupe(seed, "trainval", trainval),
        "test": cast.troupe(seed, "test", test),
        "unannotated": cast.troupe(seed, "unannotated", unannotated),
    }
    write_zip(out / "SiftFlowDataset.zip", _members(seed, side, lists))


def _members(seed: int, side: int, lists: dict[str, list[str]]) -> Iterator[_archive.Member]:
    test, bare, void = set(lists["test"]), set(lists["unannotated"][::2]), set(lists["unannotated"][1::2])
    names = sorted(name for listed in lists.values() for name in listed)
    for name in tqdm(names, desc="miniature siftflow", unit="image", disable=None):
        scene = render_scene(seed, name, side, _NEVER_TESTED if name in test else frozenset())
        yield f"Images/{_FOLDER}/{name}.jpg", jpeg(scene.image)
        if name not in bare:
            semantic, geometric = scene.semantic, scene.geometric
            if name in void:
                semantic, geometric = np.zeros_like(semantic), np.full_like(geometric, -1)
            yield f"SemanticLabels/{_FOLDER}/{name}.mat", _labels(semantic, NAMES)
            yield f"GeoLabels/{_FOLDER}/{name}.mat", _labels(geometric, GEOMETRIES)
    yield "TestSet1.txt", _archive.lines(f"{_FOLDER}\\{name}.jpg" for name in sorted(test))


def _labels(codes: NDArray[np.integer], names: tuple[str, ...]) -> bytes:
    """A map as a double matrix ``S``, with the ``names`` and the ``metaData`` that the original's files hold too."""
    cell = np.empty((len(names), 1), object)
    cell[:, 0] = names
    return _archive.mat(S=codes.astype(np.float64), names=cell, metaData={"classes": float(len(names))})
