"""A miniature ImageNet: one object per photograph, packed as ILSVRC2012's tar of one tar per class."""

from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from pipeline.miniature.shared import archive
from pipeline.miniature.shared.camera import jpeg
from pipeline.miniature.shared.photo import portrait
from pipeline.miniature.shared.things import NAMES

_WNIDS = tuple(f"n9{label:07d}" for label in range(1, len(NAMES) + 1))  # WordNet's own end below n16

COUNTS = ("train", "val")


def render(out: Path, *, seed: int, side: int, train: int, val: int) -> None:
    """Write ``out/ILSVRC2012_img_{train,val}.tar`` and ``out/classes.txt`` ("wnid<TAB>name", sorted by wnid).

    ``train`` and ``val`` are images per class, squares of ``side`` × 256 / 224 pixels, which leaves
    room for random crops of ``side``. Both tars hold ``<wnid>.tar`` with
    ``<wnid>_<k>.JPEG``; the original's val tar is flat, its labels being in the devkit.
    """
    archive.write_tar(out / "ILSVRC2012_img_train.tar", _classes(seed, side, "train", range(train)))
    archive.write_tar(out / "ILSVRC2012_img_val.tar", _classes(seed, side, "val", range(train, train + val)))
    rows = (f"{wnid}\t{name}" for wnid, name in zip(_WNIDS, NAMES, strict=True))
    archive.write(out / "classes.txt", archive.lines(rows))


def _classes(seed: int, side: int, split: str, numbers: range) -> Iterator[archive.Member]:
    classes = enumerate(tqdm(_WNIDS, desc=f"miniature imagenet {split}", unit="class", disable=None), 1)
    for label, wnid in classes:
        yield f"{wnid}.tar", archive.tar(_images(seed, side, label, wnid, numbers))


def _images(seed: int, side: int, label: int, wnid: str, numbers: range) -> Iterator[archive.Member]:
    for number in numbers:
        name = f"{wnid}_{number}"
        yield f"{name}.JPEG", jpeg(portrait(seed, name, label, round(side * 256 / 224)))
