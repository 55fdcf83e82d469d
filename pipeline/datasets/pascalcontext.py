"""PASCAL-Context: VOC 2010's photographs with every pixel labelled, the 459 published labels taken to 59 classes."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from pipeline.core.png import PASCAL, png
from pipeline.core.types import DatasetSpec, Encoded, LabelSpec, Refusal, Sample
from pipeline.datasets.shared import tar
from pipeline.datasets.shared.archive import variable

PHOTOS, LABELS = "VOCtrainval_03-May-2010.tar", "trainval.tar.gz"
ROOT = "VOCdevkit/VOC2010/"
RAW_LABELS = 459

# The published number (labels.txt) of each class, in the order of the authors' classes-59.txt. As in their
# pascalcontext_layers.py three names differ there: table, cloth and bedclothes. All other labels are background.
NUMBERS = {
    "aeroplane": 2, "bicycle": 23, "bird": 25, "boat": 31, "bottle": 34, "bus": 45, "car": 59, "cat": 65, "chair": 72,
    "cow": 98, "diningtable": 397, "dog": 113, "horse": 207, "motorbike": 258, "person": 284, "pottedplant": 308,
    "sheep": 347, "sofa": 368, "train": 416, "tvmonitor": 427, "bag": 9, "bed": 18, "bench": 22, "book": 33,
    "building": 44, "cabinet": 46, "ceiling": 68, "clothes": 80, "computer": 85, "cup": 104, "door": 115, "fence": 144,
    "floor": 158, "flower": 159, "food": 162, "grass": 187, "ground": 189, "keyboard": 220, "light": 232,
    "mountain": 259, "mouse": 260, "curtain": 105, "platform": 296, "sign": 355, "plate": 295, "road": 324,
    "rock": 326, "shelves": 349, "sidewalk": 354, "sky": 360, "snow": 366, "bedcloth": 19, "track": 415, "tree": 420,
    "truck": 424, "wall": 440, "water": 445, "window": 454, "wood": 458,
}  # fmt: skip
CLASSES = ("background", *NUMBERS)

SPEC = DatasetSpec(
    name="pascalcontext",
    images=("color",),
    labels={"semantic": LabelSpec(classes=CLASSES, palette=PASCAL[: len(CLASSES)])},
    mean={"color": (122.679, 116.669, 104.007)},  # pascalcontext_layers.py's, there in BGR
)


def splits(raw: Path) -> tuple[str, ...]:
    """What VOC 2010's photographs are split into: 4,998 and 5,105, all labelled."""
    return ("train", "val")


def ids(raw: Path, split: str) -> list[str]:
    """The split's ids in list order."""
    return tar.ids(raw / PHOTOS, f"{ROOT}ImageSets/Main/{split}.txt")


def read(raw: Path, wanted: Iterable[str]) -> Iterator[tuple[str, Mapping[str, bytes]]]:
    """The bytes of each wanted sample in the order of the labels' tgz."""
    for name, parts in tar.gather(raw / LABELS, {name: {"semantic": f"trainval/{name}.mat"} for name in wanted}):
        (photo,) = tar.read(raw / PHOTOS, [f"{ROOT}JPEGImages/{name}.jpg"])
        yield name, {"color": photo, **parts}


def sample(name: str, parts: Mapping[str, bytes]) -> Sample:
    """One sample: the JPEG as published, the label as a palette PNG of 60 classes in PASCAL's colours, none void.

    Raises Refusal for a label that cannot be read, is no map, or holds more than the 459 published labels.
    """
    label = variable(parts["semantic"], "LabelMap", f"{name}.mat")
    if label.ndim != 2 or label.dtype.kind != "u" or label.max() > RAW_LABELS:
        found, wanted = f"{label.dtype} {label.shape}", f"a map of unsigned numbers up to {RAW_LABELS}"
        raise Refusal(f"{name}.mat: LabelMap is {found}, expected {wanted}: check the archive")
    classes = np.zeros(RAW_LABELS + 1, np.uint8)
    classes[[*NUMBERS.values()]] = np.arange(1, len(CLASSES))
    semantic = png(np.ascontiguousarray(classes[label]), PASCAL)
    return Sample(
        id=name,
        height=label.shape[0],
        width=label.shape[1],
        images={"color": Encoded(bytes=parts["color"], path=f"{name}.jpg")},
        labels={"semantic": Encoded(bytes=semantic, path=f"{name}.png")},
    )
