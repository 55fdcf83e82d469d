"""The Semantic Boundaries Dataset: VOC photographs with MATLAB labels, streamed out of the published tgz."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import loadmat

from pipeline.core.types import DatasetSpec, Encoded, Refusal, Sample, color
from pipeline.datasets.shared import id_lists, tar, voc_classes

SPEC = DatasetSpec(
    name="sbd",
    images=("color",),
    labels={"semantic": voc_classes.LABEL},
    mean={"color": voc_classes.MEAN},
)

ROOT = "benchmark_RELEASE/dataset/"
PALETTE = bytes(value for index in range(256) for value in color(index))


def splits(raw: Path) -> tuple[str, ...]:
    """What the archive is split into."""
    return ("train", "val")


def ids(raw: Path, split: str) -> list[str]:
    """The split's ids in list order. Raises Refusal when ``train`` holds an id of ``seg11valid.txt``, the test set."""
    archive = raw / "benchmark.tgz"
    texts = tar.index(archive).texts
    member = f"{ROOT}{split}.txt"
    if member not in texts:
        raise Refusal(f"{archive} has no {member}: fetch it again")
    names = id_lists.ids_of(texts[member], f"{archive}: {member}")
    if split == "train":
        kept_out = set(id_lists.read_ids(raw / "seg11valid.txt"))
        leak = next((name for name in names if name in kept_out), None)
        if leak is not None:
            raise Refusal(
                f"{archive}: {leak} is in {member} and in seg11valid.txt: training may never see a test image"
            )
    return names


def read(raw: Path, wanted: Iterable[str]) -> Iterator[tuple[str, Mapping[str, bytes]]]:
    """The bytes of each wanted sample in the archive's order: one pass, holding a part only until its partner comes."""
    archive = raw / "benchmark.tgz"
    parts: dict[str, dict[str, bytes]] = {name: {} for name in wanted}
    places = tar.index(archive).places
    members = {}
    for name in parts:
        for part, member in (("color", f"{ROOT}img/{name}.jpg"), ("semantic", f"{ROOT}cls/{name}.mat")):
            if member not in places:
                raise Refusal(f"{archive} lists {name} but has no {member}: fetch it again")
            members[member] = (name, part)
    for found in tar.walk(archive):
        if found.name in members:
            name, part = members.pop(found.name)
            parts[name][part] = found.read()
            if len(parts[name]) == 2:
                yield name, parts.pop(name)
        if not members:
            return


def sample(name: str, parts: Mapping[str, bytes]) -> Sample:
    """One sample: the JPEG as published, the label (H×W uint8 in a MATLAB struct) as a palette PNG in VOC's colours."""
    label = _segmentation(name, parts["semantic"])
    height, width = label.shape
    image = Image.fromarray(label)
    image.putpalette(PALETTE)
    encoded = io.BytesIO()
    image.save(encoded, "PNG", compress_level=6)
    return Sample(
        id=name,
        height=height,
        width=width,
        images={"color": Encoded(bytes=parts["color"], path=f"{name}.jpg")},
        labels={"semantic": Encoded(bytes=encoded.getvalue(), path=f"{name}.png")},
    )


def _segmentation(name: str, mat: bytes) -> NDArray[np.uint8]:
    """``GTcls.Segmentation`` of a MATLAB v5 file."""
    try:
        found = loadmat(io.BytesIO(mat), variable_names=["GTcls"])["GTcls"]["Segmentation"][0, 0]
    except Exception as error:  # a broken file makes scipy raise nearly anything
        raise Refusal(f"{name}.mat has no readable GTcls.Segmentation ({error}): fetch the archive again") from None
    if found.dtype != np.uint8 or found.ndim != 2:
        raise Refusal(
            f"{name}.mat: Segmentation is {found.dtype} {found.shape}, expected a uint8 map: check the archive"
        )
    return np.ascontiguousarray(found)
