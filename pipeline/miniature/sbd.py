"""A miniature SBD: rendered scenes with MATLAB structs in the original tgz's layout, seg11valid's ids beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix
from tqdm import tqdm

from pipeline.core import files
from pipeline.miniature.shared import _archive
from pipeline.miniature.shared._camera import jpeg
from pipeline.miniature.shared.scenes import cast
from pipeline.miniature.shared.scenes.classes import NAMES
from pipeline.miniature.shared.scenes.scene import Scene
from pipeline.miniature.shared.scenes.scene import render as render_scene

_ROOT = "benchmark_RELEASE/dataset"
COUNTS = ("train", "val", "held_out")


def render(out: Path, *, seed: int, side: int, train: int, val: int, held_out: int) -> None:
    """Write ``out/benchmark.tgz`` and ``out/seg11valid.txt``.

    Scenes that miniature VOC (same seed, side and held_out) holds too have the same JPEG bytes there; labels here have
    hard edges instead of void. Raises Refusal if ``train`` cannot hold the images shared with VOC val.
    """
    lists = {"train": cast.sbd_train(seed, train, held_out), "val": cast.sbd_val(seed, val)}
    _archive.write_tgz(out / "benchmark.tgz", _members(seed, side, lists))
    with files.replacing(out / "seg11valid.txt") as scratch:
        scratch.write_bytes(_archive.lines(cast.seg11valid(seed, held_out)))


def _members(seed: int, side: int, lists: dict[str, list[str]]) -> Iterator[_archive.Member]:
    for split, names in lists.items():
        yield f"{_ROOT}/{split}.txt", _archive.lines(names)
    for name in tqdm(sorted(lists["train"] + lists["val"]), desc="miniature sbd", unit="image", disable=None):
        scene = render_scene(seed, name, *cast.frame(seed, name, side))
        yield f"{_ROOT}/cls/{name}.mat", _archive.mat(GTcls=_classes(scene))
        yield f"{_ROOT}/img/{name}.jpg", jpeg(scene.image)
        yield f"{_ROOT}/inst/{name}.mat", _archive.mat(GTinst=_instances(scene))


def _classes(scene: Scene) -> dict[str, Any]:
    present = np.setdiff1d(scene.label_hard, [0])
    edges = [_edge(scene.label_hard == label) for label in range(1, len(NAMES) + 1)]
    return {
        "Boundaries": _cell(edges),
        "Segmentation": scene.label_hard,
        "CategoriesPresent": present.astype(np.float64)[:, None],
    }


def _instances(scene: Scene) -> dict[str, Any]:
    numbers = range(1, int(scene.instances.max()) + 1)
    masks = [scene.instances == number for number in numbers]
    return {
        "Segmentation": scene.instances,
        "Boundaries": _cell([_edge(mask) for mask in masks]),
        "Categories": np.array([[float(scene.label_hard[mask][0])] for mask in masks]),
    }


def _cell(values: list[Any]) -> NDArray[np.object_]:
    """An N×1 MATLAB cell array."""
    cell = np.empty((len(values), 1), object)
    cell[:, 0] = values
    return cell


def _edge(mask: NDArray[np.bool_]) -> csc_matrix:
    """The mask's inner edge (H×W, sparse logical): its pixels with a neighbour above, below, left or right outside."""
    padded = np.pad(mask, 1, mode="edge")
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return csc_matrix(mask & ~inner)
