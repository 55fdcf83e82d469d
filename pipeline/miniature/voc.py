"""A miniature VOC2012: rendered scenes in the original tar's layout, with seg11valid's ids beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pipeline.core import files
from pipeline.miniature.shared import _archive
from pipeline.miniature.shared._camera import jpeg
from pipeline.miniature.shared.scenes import cast
from pipeline.miniature.shared.scenes.scene import render as render_scene

_ROOT = "VOCdevkit/VOC2012"
COUNTS = ("train", "val", "held_out")


def render(out: Path, *, seed: int, side: int, train: int, val: int, held_out: int) -> None:
    """Write ``out/VOCtrainval_11-May-2012.tar`` and ``out/seg11valid.txt``.

    Images have ``side`` pixels on their long edge. ``held_out`` of the ``val`` images are seg11valid, the rest stand in
    miniature SBD's train list as well, provided that it has the same seed, side and held_out.
    Raises Refusal unless ``held_out`` ≤ ``val`` ≤ 1.5 × ``held_out``.
    """
    lists = {"train": cast.voc_train(seed, train), "val": cast.voc_val(seed, val, held_out)}
    lists["trainval"] = sorted(lists["train"] + lists["val"])
    _archive.write_tar(out / "VOCtrainval_11-May-2012.tar", _members(seed, side, lists))
    with files.replacing(out / "seg11valid.txt") as scratch:
        scratch.write_bytes(_archive.lines(cast.seg11valid(seed, held_out)))


def _members(seed: int, side: int, lists: dict[str, list[str]]) -> Iterator[_archive.Member]:
    for split, names in sorted(lists.items()):
        yield f"{_ROOT}/ImageSets/Segmentation/{split}.txt", _archive.lines(names)
    for name in tqdm(lists["trainval"], desc="miniature voc", unit="image", disable=None):
        scene = render_scene(seed, name, *cast.frame(seed, name, side))
        contour = scene.label == 255
        yield f"{_ROOT}/JPEGImages/{name}.jpg", jpeg(scene.image)
        yield f"{_ROOT}/SegmentationClass/{name}.png", _archive.palette_png(scene.label)
        objects = np.where(contour, np.uint8(255), scene.instances)
        yield f"{_ROOT}/SegmentationObject/{name}.png", _archive.palette_png(objects)
