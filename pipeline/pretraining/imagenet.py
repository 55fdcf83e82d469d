"""ImageNet's archives (a tar of one tar of JPEGs per class) as pixels in memory, and random crops of them."""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from pipeline.core.types import Refusal

TRAIN = "ILSVRC2012_img_train.tar"
VAL = "ILSVRC2012_img_val.tar"
MEAN = (122.67892, 116.66877, 104.00699)  # RGB of ILSVRC2012, 0–255: Caffe's imagenet_mean.binaryproto


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """A split decoded once: ``pixels`` N×S×S×3 uint8 RGB, ``classes`` N class indices (int64), classes in file order.

    All in memory, which suits thousands of small pictures; the paper's 1.3 million come as published weights instead.
    """

    pixels: NDArray[np.uint8]
    classes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.classes)


def class_names(raw: Path) -> dict[str, str]:
    """WordNet id → name in the order of ``raw/classes.txt``, whose lines are ``wnid<TAB>name``."""
    path = raw / "classes.txt"
    try:
        return dict(line.split("\t")[:2] for line in path.read_text(encoding="utf-8").splitlines())
    except (FileNotFoundError, ValueError):
        raise Refusal(f"{path} does not list the classes as wnid, tab, name: run the imagenet stage again") from None


def side_for(crop: int) -> int:
    """The side in pixels that pictures are held at for crops of ``crop``: a sixth more (AlexNet: 256 for 224)."""
    return crop * 7 // 6


def decode(archive: Path, wnids: list[str], side: int) -> Pictures:
    """Every picture of ``archive``, its shorter side resized to ``side`` and its centre cut out, by class and name.

    Raises Refusal when the archive is missing or lacks a class.
    """
    if not archive.is_file():
        raise Refusal(f"{archive} is missing: run the imagenet stage")
    pixels: list[NDArray[np.uint8]] = []
    classes: list[int] = []
    with tarfile.open(archive, "r:") as outer:
        inner = {Path(member.name).stem: member for member in outer if member.isfile()}
        for index, wnid in enumerate(tqdm(wnids, desc=f"decode {archive.name}", unit="class", disable=None)):
            if wnid not in inner:
                raise Refusal(f"{archive} has no {wnid}.tar, which classes.txt lists: run the imagenet stage again")
            pictures = [_square(encoded, side) for encoded in _members(outer, inner[wnid])]
            pixels += pictures
            classes += [index] * len(pictures)
    return Pictures(pixels=np.stack(pixels), classes=np.array(classes, dtype=np.int64))


def _members(outer: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    with tarfile.open(fileobj=outer.extractfile(member), mode="r:") as inner:
        for picture in sorted((entry for entry in inner if entry.isfile()), key=lambda entry: entry.name):
            file = inner.extractfile(picture)
            assert file is not None  # it is a regular file
            yield file.read()


def _square(encoded: bytes, side: int) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(encoded)) as image:
        scale = side / min(image.size)
        width, height = (max(side, round(length * scale)) for length in image.size)
        left, top = (width - side) // 2, (height - side) // 2
        resized = image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(resized.crop((left, top, left + side, top + side)))


def random_crops(
    pictures: Pictures, *, seed: int, iteration: int, batch: int, crop: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """``batch`` mirrored or plain crops (batch×crop×crop×3) and their classes: a pure function of (seed, iteration)."""
    rng = np.random.default_rng([seed, iteration])
    chosen = rng.integers(len(pictures), size=batch)
    tops, lefts = rng.integers(pictures.pixels.shape[1] - crop + 1, size=(2, batch))
    steps = rng.choice((1, -1), size=batch)
    crops = [
        pictures.pixels[index, top : top + crop, left : left + crop][:, ::step]
        for index, top, left, step in zip(chosen, tops, lefts, steps, strict=True)
    ]
    return np.stack(crops), pictures.classes[chosen]


def centre_crops(pictures: Pictures, crop: int) -> NDArray[np.uint8]:
    """The middle ``crop``×``crop`` of every picture."""
    start = (pictures.pixels.shape[1] - crop) // 2
    return pictures.pixels[:, start : start + crop, start : start + crop]
