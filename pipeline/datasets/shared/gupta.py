"""NYUDv2 as Gupta et al. prepared it and the authors packed it, nyud.tar.gz: what their nyud_layers.py reads."""

import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.core.png import png
from pipeline.core.types import Encoded, LabelSpec, Refusal, Sample
from pipeline.datasets.shared import tar
from pipeline.datasets.shared.archive import image_size, read_ids, variable

ARCHIVE = "nyud.tar.gz"
SPLITS = ("trainval", "test", "train", "val")
MEMBERS = {
    "color": "data/images/img_{}.png",
    "depth": "data/depth/img_{}.png",  # millimetres, in-painted
    "hha": "data/hha/img_{}.png",
    "semantic": "segmentation/img_{}.mat",
}
_FIRST = "data/images/img_"


def ids(raw: Path, split: str) -> list[str]:
    """The split's ids from the authors' train.txt, val.txt and test.txt beside the archive; trainval is both."""
    lists = ("train", "val") if split == "trainval" else (split,)
    return sorted(name for each in lists for name in read_ids(raw / f"{each}.txt"))


def read(raw: Path, wanted: Iterable[str]) -> Iterator[tuple[str, Mapping[str, bytes]]]:
    """The bytes of each wanted frame's four files, in the archive's order.

    Packed folder by folder, a split's images are all held until the labels come: 0.5 MB a frame and more.
    """
    archive = raw / ARCHIVE
    roots = {name.rpartition(_FIRST)[0] for name in tar.index(archive).places if _FIRST in name}
    if len(roots) != 1:
        raise Refusal(f"{archive} must have one folder data/images, found {len(roots)}: is it the authors' NYUDv2?")
    (root,) = roots
    members = {part: f"{root}{member}" for part, member in MEMBERS.items()}
    return tar.gather(
        archive, {name: {part: member.format(name) for part, member in members.items()} for name in wanted}
    )


def sample(name: str, parts: Mapping[str, bytes], label: LabelSpec) -> Sample:
    """One frame: the images as packed, the label (0 void, 1–40) as a palette PNG of ``label``'s classes, 255 void.

    ``missing`` is 0 throughout, for the archive does not say where the Kinect saw nothing. Raises Refusal for images of
    other sizes than the label, a depth of 0, and a label that is none of the 40.
    """
    codes = variable(parts["semantic"], "segmentation", f"img_{name}.mat")
    if codes.ndim != 2 or codes.dtype.kind not in "uif" or not np.isin(codes, range(len(label.classes) + 1)).all():
        raise Refusal(f"img_{name}.mat: segmentation is no map of 0 to {len(label.classes)}: check the archive")
    file = f"img_{name}.png"
    images = {part: Encoded(bytes=parts[part], path=file) for part in ("color", "depth", "hha")}
    for part, image in images.items():
        if (size := image_size(image)) != codes.shape:
            raise Refusal(f"{file}: {part} is {size}, its label {codes.shape} (height, width): check the archive")
    with Image.open(io.BytesIO(parts["depth"])) as depth:
        if not np.array(depth).all():
            raise Refusal(f"{file}: depth is 0 somewhere, where nets see its logarithm: check the archive")
    images["missing"] = Encoded(bytes=png(np.zeros(codes.shape, np.uint8)), path=file)
    semantic = png(np.where(codes == 0, label.ignore_label, codes - 1).astype(np.uint8), label.palette)
    height, width = codes.shape
    labels = {"semantic": Encoded(bytes=semantic, path=file)}
    return Sample(id=name, height=height, width=width, images=images, labels=labels)
