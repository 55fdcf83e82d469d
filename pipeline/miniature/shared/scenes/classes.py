"""The twenty object classes in VOC's order; class i of a label map (1–20) is ``list(KINDS.values())[i - 1]``."""

from __future__ import annotations

from pipeline.miniature.shared._kinds import Kind
from pipeline.miniature.shared.scenes import animals, indoor, vehicles

KINDS: dict[str, Kind] = {
    "aeroplane": vehicles.AEROPLANE,
    "bicycle": vehicles.BICYCLE,
    "bird": animals.BIRD,
    "boat": vehicles.BOAT,
    "bottle": indoor.BOTTLE,
    "bus": vehicles.BUS,
    "car": vehicles.CAR,
    "cat": animals.CAT,
    "chair": indoor.CHAIR,
    "cow": animals.COW,
    "diningtable": indoor.DININGTABLE,
    "dog": animals.DOG,
    "horse": animals.HORSE,
    "motorbike": vehicles.MOTORBIKE,
    "person": animals.PERSON,
    "pottedplant": indoor.POTTEDPLANT,
    "sheep": animals.SHEEP,
    "sofa": indoor.SOFA,
    "train": vehicles.TRAIN,
    "tvmonitor": indoor.TVMONITOR,
}
NAMES: tuple[str, ...] = tuple(KINDS)
