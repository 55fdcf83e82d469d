"""A miniature PASCAL-Context: VOC's photographs in the 2010 tar's layout, every pixel labelled in MATLAB's files."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pipeline.miniature.shared import archive, photo
from pipeline.miniature.shared.camera import jpeg

_ROOT = "VOCdevkit/VOC2010"
COUNTS = ("train", "val")

# The published numbers of VOC's twenty classes, and of what is around them: sand is none of the 59
_NUMBERS = (2, 23, 25, 31, 34, 45, 59, 65, 72, 98, 397, 113, 207, 258, 284, 308, 347, 368, 416, 427)
_AROUND = {"ground": 189, "sand": 334, "grass": 187, "floor": 158, "sky": 360, "wall": 440}
RAW = np.array([0, *_NUMBERS, *(_AROUND[name] for name in photo.SEEN[len(_NUMBERS) :])], np.uint16)
"""Raw label (1–459) by code of ``Photo.context``."""


def render(out: Path, *, seed: int, side: int, train: int, val: int) -> None:
    """Write ``out/VOCtrainval_03-May-2010.tar`` and ``out/trainval.tar.gz``, which has the labels.

    Images have ``side`` pixels on their long edge. Those that miniature VOC or SBD (same seed and side) hold too have
    the same JPEG bytes there: ``train`` is of SBD's train, ``val`` of VOC's val.
    """
    lists = {"train": photo.context_train(seed, train), "val": photo.seg11valid(seed, val)}
    labels: list[archive.Member] = []
    archive.write_tar(out / "VOCtrainval_03-May-2010.tar", _photos(seed, side, lists, labels))
    archive.write_tgz(out / "trainval.tar.gz", labels)


def _photos(
    seed: int, side: int, lists: dict[str, list[str]], labels: list[archive.Member]
) -> Iterator[archive.Member]:
    """The tar's members; on the way, each photograph's labels go to ``labels``, so that it is rendered once."""
    for split, names in lists.items():
        yield f"{_ROOT}/ImageSets/Main/{split}.txt", archive.lines(names)
    names = sorted(lists["train"] + lists["val"])
    for name in tqdm(names, desc="miniature pascalcontext", unit="image", disable=None):
        shown = photo.photo(seed, name, *photo.size_of(seed, name, side))
        labels.append((f"trainval/{name}.mat", archive.mat(LabelMap=RAW[shown.context])))
        yield f"{_ROOT}/JPEGImages/{name}.jpg", jpeg(shown.image)
