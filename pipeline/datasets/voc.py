"""PASCAL VOC segmentation: photographs with palette PNG labels, read by offset out of the published tar."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from PIL import Image

from pipeline.core.types import DatasetSpec, Encoded, Refusal, Sample
from pipeline.datasets.shared import id_lists, tar, voc_classes

SPEC = DatasetSpec(
    name="voc",
    images=("color",),
    labels={"semantic": voc_classes.LABEL},
    mean={"color": voc_classes.MEAN},
)

ROOTS = ("VOCdevkit/VOC2012/", "TrainVal/VOCdevkit/VOC2011/")  # as the 2012 and the 2011 archive were packed


def splits(raw: Path) -> tuple[str, ...]:
    """What the archive is split into."""
    return ("train", "val", "seg11valid")


def ids(raw: Path, split: str) -> list[str]:
    """The split's ids in list order; ``seg11valid`` (VOC 2011 val minus SBD train) is the authors' list in ``raw``."""
    if split == "seg11valid":
        return id_lists.read_ids(raw / "seg11valid.txt")
    archive = _archive(raw)
    member = f"{_root(archive)}ImageSets/Segmentation/{split}.txt"
    texts = tar.index(archive).texts
    if member not in texts:
        raise Refusal(f"{archive} has no {member}: fetch it again")
    return id_lists.ids_of(texts[member], f"{archive}: {member}")


def read(raw: Path, wanted: Iterable[str]) -> Iterator[tuple[str, Mapping[str, bytes]]]:
    """The bytes of each wanted sample, in the order asked for: an uncompressed tar is read by offset."""
    archive = _archive(raw)
    root, places = _root(archive), tar.index(archive).places
    with archive.open("rb") as file:
        for name in wanted:
            parts = {}
            for part, member in _members(root, name).items():
                if member not in places:
                    raise Refusal(f"{archive} lists {name} but has no {member}: fetch it again")
                offset, size = places[member]
                file.seek(offset)
                parts[part] = file.read(size)
            yield name, parts


def sample(name: str, parts: Mapping[str, bytes]) -> Sample:
    """One sample from its bytes as published; height and width are the label's."""
    try:
        with Image.open(io.BytesIO(parts["semantic"])) as label:
            width, height = label.size
    except OSError:
        raise Refusal(f"{name}.png is no image: fetch the archive again") from None
    return Sample(
        id=name,
        height=height,
        width=width,
        images={"color": Encoded(bytes=parts["color"], path=f"{name}.jpg")},
        labels={"semantic": Encoded(bytes=parts["semantic"], path=f"{name}.png")},
    )


def _members(root: str, name: str) -> dict[str, str]:
    return {"color": f"{root}JPEGImages/{name}.jpg", "semantic": f"{root}SegmentationClass/{name}.png"}


def _archive(raw: Path) -> Path:
    found = sorted(raw.glob("VOCtrainval_*.tar"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise Refusal(f"{raw} must hold one VOCtrainval_*.tar, found {names}: run its download or miniature stage")
    return found[0]


def _root(archive: Path) -> str:
    texts = tar.index(archive).texts
    for root in ROOTS:
        if any(name.startswith(f"{root}ImageSets/Segmentation/") for name in texts):
            return root
    raise Refusal(f"{archive} has no ImageSets/Segmentation under {' or '.join(ROOTS)}: is it VOC 2012 or 2011?")
