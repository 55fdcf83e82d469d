"""PASCAL's 21 classes, their palette and the ImageNet mean the authors subtracted: shared by VOC and SBD."""

from __future__ import annotations

from pipeline.core.types import Color, LabelSpec

CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip

# RGB, 0–255: the mean of Caffe's ILSVRC training images, which voc_layers.py subtracts (there in BGR).
MEAN = (122.67892, 116.66877, 104.00699)


def color(index: int) -> Color:
    """PASCAL's colour of a label value: bit b of channel c is bit 3(7-b)+c of the index, so 255 is (224, 224, 192)."""
    red, green, blue = (
        sum((index >> 3 * place + channel & 1) << 7 - place for place in range(8)) for channel in range(3)
    )
    return red, green, blue


LABEL = LabelSpec(classes=CLASSES, palette=tuple(color(index) for index in range(len(CLASSES))))
