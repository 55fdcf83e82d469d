"""PASCAL VOC segmentation: photographs with palette PNG labels, read by offset out of the published tar."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pipeline.core.types import DatasetSpec, Encoded, Refusal, Sample
from pipeline.datasets.shared import tar, voc_classes
from pipeline.datasets.shared.archive import image_size, read_ids

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
        return read_ids(raw / "seg11valid.txt")
    archive = _archive(raw)
    return tar.ids(archive, f"{_root(archive)}ImageSets/Segmentation/{split}.txt")


def read(raw: Path, wanted: Iterable[str]) -> Iterator[tuple[str, Mapping[str, bytes]]]:
    """The bytes of each wanted sample, in the order asked for: an uncompressed tar is read by offset."""
    archive = _archive(raw)
    root = _root(archive)
    for name in wanted:
        members = f"{root}JPEGImages/{name}.jpg", f"{root}SegmentationClass/{name}.png"
        yield name, dict(zip(("color", "semantic"), tar.read(archive, members), strict=True))


def sample(name: str, parts: Mapping[str, bytes]) -> Sample:
    """One sample from its bytes as published; height and width are the label's. Raises Refusal where that is none."""
    label = Encoded(bytes=parts["semantic"], path=f"{name}.png")
    height, width = image_size(label)
    image = Encoded(bytes=parts["color"], path=f"{name}.jpg")
    return Sample(id=name, height=height, width=width, images={"color": image}, labels={"semantic": label})


def _archive(raw: Path) -> Path:
    found = sorted(raw.glob("VOCtrainval_*.tar"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise Refusal(f"{raw} must hold one VOCtrainval_*.tar, found {names}: run its download or miniature stage")
    return found[0]


def _root(archive: Path) -> str:
    for root in ROOTS:
        if any(name.startswith(f"{root}ImageSets/Segmentation/") for name in tar.index(archive).texts):
            return root
    raise Refusal(f"{archive} has no ImageSets/Segmentation under {' or '.join(ROOTS)}: is it VOC 2012 or 2011?")
