"""PASCAL's 21 classes, their palette and the ImageNet mean the authors subtracted: shared by VOC and SBD."""

from pipeline.core.png import PASCAL
from pipeline.core.types import LabelSpec

CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip

# RGB, 0–255: the mean of Caffe's ILSVRC training images, which voc_layers.py subtracts (there in BGR).
MEAN = (122.67892, 116.66877, 104.00699)
LABEL = LabelSpec(classes=CLASSES, palette=PASCAL[: len(CLASSES)])
