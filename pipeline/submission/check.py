"""Hold an archive of VOC segmentations against what PASCAL's evaluation server asks for, before it goes there.

The rules are the VOC2012 devkit's: section 5.3 gives the folder, one indexed PNG an image and the colour map, and
VOCcode/VOCevalseg.m ends at the first image that is not there, is of another size or has a label above 20.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, UnidentifiedImageError

from pipeline.core.types import Refusal
from pipeline.datasets.shared import tar
from pipeline.datasets.shared.voc_classes import LABEL
from pipeline.submission.pack import COMPETITIONS, folder
from pipeline.submission.pictures import Pictures

GZIP = b"\x1f\x8b"
SUFFIX = ".png"
CLASSES = len(LABEL.classes)
PALETTE = [value for color in LABEL.palette for value in color]


def check(archive: Path, pictures: Pictures, competition: str | None) -> list[str]:
    """What is wrong with ``archive``, each as "member: reason"; nothing where the server would score it.

    ``competition`` None takes whichever its first image is in. Nothing is unpacked.

    Raises Refusal where the archive cannot be read whole: it is no gzipped tar, is cut off, or holds a link, a device
    or a name outside its folder.
    """
    with archive.open("rb") as file:
        if file.read(len(GZIP)) != GZIP:
            raise Refusal(f"{archive} is not gzipped, and the server takes nothing else: tar -czf it")
    try:
        return list(_problems(archive, pictures, competition))
    except _Unreadable as error:
        raise Refusal(f"{error}: write it again") from None


class _Unreadable(Exception):
    """What ``_tar`` refuses, without its remedy, which is for archives that were fetched."""


def _walked(archive: Path) -> Iterator[tar.Member]:
    try:
        yield from tar.walk(archive)
    except Refusal as refusal:
        raise _Unreadable(str(refusal).rpartition(": ")[0]) from None


def _problems(archive: Path, pictures: Pictures, competition: str | None) -> Iterator[str]:
    left, seen = set(pictures.ids), set[str]()
    for member in _walked(archive):
        path = PurePosixPath(member.name)
        competition = competition or next((each for each in COMPETITIONS if str(path.parent) == folder(each)), None)
        wanted = folder(competition or COMPETITIONS[-1])
        if str(path.parent) != wanted:
            yield f"{member.name}: is not in {wanted}"
        elif path.suffix != SUFFIX or path.stem not in pictures.ids:
            yield f"{member.name}: is no PNG of an image of the split"
        elif path.stem in seen:
            yield f"{member.name}: stands twice in the archive"
        else:
            seen.add(path.stem)
            left.discard(path.stem)
            if problem := _wrong(member.read(), pictures.read(path.stem).shape[:2]):
                yield f"{member.name}: {problem}"
    if left:
        most = f" and {len(left) - 1} more" if len(left) > 1 else ""
        yield f"{min(left)}{SUFFIX}{most}: missing of the split's {len(pictures.ids)}"


def _wrong(encoded: bytes, size: tuple[int, ...]) -> str | None:
    try:
        with Image.open(io.BytesIO(encoded), formats=["PNG"]) as image:
            if image.size[::-1] != size:
                return f"is {image.height}×{image.width} px, its image {size[0]}×{size[1]} (height × width)"
            if image.mode != "P":
                return f"has mode {image.mode}: it has to be 8-bit with a palette, class indices as samples"
            if (image.getpalette() or [])[: len(PALETTE)] != PALETTE:
                # a palette of one's own permutes the indices (DrSleep/tensorflow-deeplab-resnet#177)
                return "has another palette than VOC's colour map: are its samples class indices?"
            label = np.array(image)
    except UnidentifiedImageError:
        return "is no PNG"
    except (OSError, SyntaxError, ValueError) as error:
        return f"does not decode ({error})"
    if label.max() < CLASSES:
        return None
    row, column = (int(place[0]) for place in np.nonzero(label >= CLASSES))
    return f"has label {label[row, column]} at row {row}, column {column}: 0 to {CLASSES - 1} are classes, void is none"
