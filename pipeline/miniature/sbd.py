"""A miniature SBD: photographs with MATLAB structs in the original tgz's layout, seg11valid's ids beside it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix
from tqdm import tqdm

from pipeline.miniature.shared import archive, photo
from pipeline.miniature.shared.camera import jpeg
from pipeline.miniature.shared.things import NAMES

_ROOT = "benchmark_RELEASE/dataset"
COUNTS = ("train", "val", "held_out")


def render(out: Path, *, seed: int, side: int, train: int, val: int, held_out: int) -> None:
    """Write ``out/benchmark.tgz`` and ``out/seg11valid.txt``.

    Photographs that miniature VOC (same seed, side and held_out) holds too have the same JPEG bytes there; labels here
    have hard edges instead of void. Raises Refusal if ``train`` cannot hold the images shared with VOC val.
    """
    lists = {"train": photo.sbd_train(seed, train, held_out), "val": photo.sbd_val(seed, val)}
    archive.write_tgz(out / "benchmark.tgz", _members(seed, side, lists))
    archive.write(out / "seg11valid.txt", archive.lines(photo.seg11valid(seed, held_out)))


def _members(seed: int, side: int, lists: dict[str, list[str]]) -> Iterator[archive.Member]:
    for split, names in lists.items():
        yield f"{_ROOT}/{split}.txt", archive.lines(names)
    for name in tqdm(sorted(lists["train"] + lists["val"]), desc="miniature sbd", unit="image", disable=None):
        shown = photo.photo(seed, name, *photo.size_of(seed, name, side))
        yield f"{_ROOT}/cls/{name}.mat", archive.mat(GTcls=_classes(shown))
        yield f"{_ROOT}/img/{name}.jpg", jpeg(shown.image)
        yield f"{_ROOT}/inst/{name}.mat", archive.mat(GTinst=_instances(shown))


def _classes(shown: photo.Photo) -> dict[str, Any]:
    present = np.setdiff1d(shown.label, [0])
    edges = [_edge(shown.label == label) for label in range(1, len(NAMES) + 1)]
    return {
        "Boundaries": archive.cell(edges),
        "Segmentation": shown.label,
        "CategoriesPresent": present.astype(np.float64)[:, None],
    }


def _instances(shown: photo.Photo) -> dict[str, Any]:
    numbers = range(1, int(shown.instances.max()) + 1)
    masks = [shown.instances == number for number in numbers]
    return {
        "Segmentation": shown.instances,
        "Boundaries": archive.cell([_edge(mask) for mask in masks]),
        "Categories": np.array([[float(shown.label[mask][0])] for mask in masks]),
    }


def _edge(mask: NDArray[np.bool_]) -> csc_matrix:
    """The mask's inner edge (H×W, sparse logical): its pixels with a neighbour above, below, left or right outside."""
    padded = np.pad(mask, 1, mode="edge")
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return csc_matrix(mask & ~inner)
