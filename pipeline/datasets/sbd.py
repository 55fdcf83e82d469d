"""The Semantic Boundaries Dataset: VOC photographs with MATLAB labels, streamed out of the published tgz."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from pipeline.core.png import PASCAL, png
from pipeline.core.types import DatasetSpec, Encoded, Refusal, Sample
from pipeline.datasets.shared import tar, voc_classes
from pipeline.datasets.shared.archive import read_ids, variable

SPEC = DatasetSpec(
    name="sbd",
    images=("color",),
    labels={"semantic": voc_classes.LABEL},
    mean={"color": voc_classes.MEAN},
)

ROOT = "benchmark_RELEASE/dataset/"
VALIDATION = 500  # images: 25 milestones of a VGG16 are scored on them in ten minutes of a GPU


def splits(raw: Path) -> tuple[str, ...]:
    """What the archive is split into, and what may choose among nets that seg11valid judges."""
    return ("train", "val", "validation")


def ids(raw: Path, split: str) -> list[str]:
    """The split's ids in list order. Raises Refusal when ``train`` holds an id of ``seg11valid.txt``, the test set.

    ``validation`` is ``VALIDATION`` of ``val`` at most, spread evenly over those that are not in that file.
    """
    archive, member = raw / "benchmark.tgz", f"{ROOT}{'train' if split == 'train' else 'val'}.txt"
    names = tar.ids(archive, member)
    kept_out = set(read_ids(raw / "seg11valid.txt")) if split != "val" else set()
    if split == "validation":
        names = [name for name in names if name not in kept_out]
        return [names[place * len(names) // VALIDATION] for place in range(VALIDATION)] if names[VALIDATION:] else names
    if leaks := [name for name in names if name in kept_out]:
        raise Refusal(f"{archive}: {leaks[0]} is in {member} and seg11valid.txt: training may never see a test image")
    return names


def read(raw: Path, wanted: Iterable[str]) -> Iterator[tuple[str, Mapping[str, bytes]]]:
    """The bytes of each wanted sample in the archive's order."""
    members = {name: {"color": f"{ROOT}img/{name}.jpg", "semantic": f"{ROOT}cls/{name}.mat"} for name in wanted}
    return tar.gather(raw / "benchmark.tgz", members)


def sample(name: str, parts: Mapping[str, bytes]) -> Sample:
    """One sample: the JPEG as published, the label (H×W uint8 in a MATLAB struct) as a palette PNG in VOC's colours.

    Raises Refusal for a label that cannot be read or is another array.
    """
    label = variable(parts["semantic"], "GTcls.Segmentation", f"{name}.mat")
    if label.dtype != np.uint8 or label.ndim != 2:
        found = f"{label.dtype} {label.shape}"
        raise Refusal(f"{name}.mat: Segmentation is {found}, expected a uint8 map: check the archive")
    return Sample(
        id=name,
        height=label.shape[0],
        width=label.shape[1],
        images={"color": Encoded(bytes=parts["color"], path=f"{name}.jpg")},
        labels={"semantic": Encoded(bytes=png(np.ascontiguousarray(label), PASCAL), path=f"{name}.png")},
    )
