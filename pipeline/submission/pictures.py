"""The pictures of a VOC split: rows of shards, or the photographs of a VOC archive, which need no labels."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.core.types import Refusal
from pipeline.datasets.shared import tar
from pipeline.datasets.shared.archive import ids_of
from pipeline.shards.reader import Shards
from pipeline.shards.schema import MANIFEST

Pixels = NDArray[np.uint8]

# Where VOC2012test.tar and VOCtrainval_11-May-2012.tar begin, and where one may have been unpacked to
ROOTS = ("VOCdevkit/VOC2012/", "VOC2012/", "")
LISTS, PHOTOGRAPHS = "ImageSets/Segmentation/", "JPEGImages/"


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """A split without its labels; ``read`` gives the H×W×3 uint8 RGB pixels of one of ``ids``."""

    ids: tuple[str, ...]
    read: Callable[[str], Pixels]


def of_shards(folder: Path) -> Pictures:
    """The split that a convert stage wrote to ``folder``. Raises Refusal where there is none, as for VOC's test."""
    if not (folder / MANIFEST).is_file():
        known = ", ".join(sorted(path.parent.name for path in folder.parent.glob(f"*/{MANIFEST}"))) or "none"
        raise Refusal(f"no shards in {folder}: give VOC's test as --images VOC2012test.tar, or name a split ({known})")
    shards = Shards(folder, columns={"color"})
    places = {name: place for place, name in enumerate(shards.manifest.ids)}
    return Pictures(ids=shards.manifest.ids, read=lambda name: shards[places[name]].images["color"])


def of_archive(archive: Path, split: str) -> Pictures:
    """The split ``split`` of a VOC tar, read in place, or of the folder that it was unpacked to.

    Raises Refusal where it does not list the split, or lacks a photograph that it lists.
    """
    found = _files(archive)
    lists = {name.removeprefix(LISTS): name for name in found if name.startswith(LISTS)}
    if f"{split}.txt" not in lists:
        known = ", ".join(sorted(Path(name).stem for name in lists)) or "none"
        raise Refusal(f"{archive} has no {LISTS}{split}.txt: name a split that it lists ({known})")
    source = f"{archive}: {lists[f'{split}.txt']}"
    ids = ids_of(found[lists[f"{split}.txt"]]().decode("utf-8", "replace"), source)
    if missing := [name for name in ids if f"{PHOTOGRAPHS}{name}.jpg" not in found]:
        raise Refusal(f"{archive} lists {missing[0]} but has no {PHOTOGRAPHS}{missing[0]}.jpg: fetch it again")
    return Pictures(ids=tuple(ids), read=lambda name: _decoded(found[f"{PHOTOGRAPHS}{name}.jpg"](), archive, name))


def _files(archive: Path) -> dict[str, Callable[[], bytes]]:
    """{path within VOC2012/: a call for its bytes} of a tar or a folder."""
    if archive.is_dir():
        files = (file for file in archive.rglob("*") if file.suffix in (".jpg", ".txt"))
        found = {file.relative_to(archive).as_posix(): file.read_bytes for file in files}
    else:
        found = {name: partial(_cut, archive, *place) for name, place in tar.index(archive).places.items()}
    for root in ROOTS:
        if any(name.startswith(root + LISTS) for name in found):
            return {name.removeprefix(root): read for name, read in found.items() if name.startswith(root)}
    raise Refusal(f"{archive} has no {LISTS}: name VOC2012test.tar, or the folder that it was unpacked to")


def _cut(archive: Path, offset: int, size: int) -> bytes:
    with archive.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _decoded(encoded: bytes, archive: Path, name: str) -> Pixels:
    """As ``shards.reader`` decodes: EXIF turns nothing, for labels are as the photograph is stored."""
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            return np.array(image.convert("RGB"))
    except (OSError, SyntaxError) as error:
        raise Refusal(f"{archive}: {name}.jpg does not decode ({error}): fetch it again") from None
