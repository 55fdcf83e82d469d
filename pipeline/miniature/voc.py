"""A miniature VOC2012: rendered scenes in the original tar's layout, with seg11valid's ids beside it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pipeline.core.png import PASCAL, png
from pipeline.miniature.shared import archive, photo
from pipeline.miniature.shared.camera import jpeg

_ROOT = "VOCdevkit/VOC2012"
COUNTS = ("train", "val", "held_out")


def render(out: Path, *, seed: int, side: int, train: int, val: int, held_out: int) -> None:
    """Write ``out/VOCtrainval_11-May-2012.tar`` and ``out/seg11valid.txt``.

    Images have ``side`` pixels on their long edge. ``held_out`` of the ``val`` images are seg11valid, the rest stand in
    miniature SBD's train list as well, provided that it has the same seed, side and held_out.
    Raises Refusal unless ``held_out`` ≤ ``val`` ≤ 1.5 × ``held_out``.
    """
    lists = {"train": photo.voc_train(seed, train), "val": photo.voc_val(seed, val, held_out)}
    lists["trainval"] = sorted(lists["train"] + lists["val"])
    archive.write_tar(out / "VOCtrainval_11-May-2012.tar", _members(seed, side, lists))
    archive.write(out / "seg11valid.txt", archive.lines(photo.seg11valid(seed, held_out)))


def _members(seed: int, side: int, lists: dict[str, list[str]]) -> Iterator[archive.Member]:
    for split, names in sorted(lists.items()):
        yield f"{_ROOT}/ImageSets/Segmentation/{split}.txt", archive.lines(names)
    for name in tqdm(lists["trainval"], desc="miniature voc", unit="image", disable=None):
        shown = photo.photo(seed, name, *photo.size_of(seed, name, side))
        yield f"{_ROOT}/JPEGImages/{name}.jpg", jpeg(shown.image)
        for folder, codes in (("SegmentationClass", shown.label), ("SegmentationObject", shown.instances)):
            labelled = np.where(shown.void, np.uint8(photo.VOID), codes)
            yield f"{_ROOT}/{folder}/{name}.png", png(labelled, PASCAL)
