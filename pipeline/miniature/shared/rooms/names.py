"""NYUDv2's two vocabularies: 894 raw names as annotators wrote them, and the 40 classes they are mapped to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.miniature.shared._chance import generator

CLASSES = (
    *("wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture", "counter"),
    *("blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor mat", "clothes", "ceiling"),
    *("books", "refridgerator", "television", "paper", "towel", "shower curtain", "box", "whiteboard", "person"),
    *("night stand", "toilet", "sink", "lamp", "bathtub", "bag", "otherstructure", "otherfurniture", "otherprop"),
)
"""The published order and spelling (classMapping40.mat); class i of a label map (1–40) is ``CLASSES[i - 1]``."""

UNLABELLED = ""
"""The raw name of what annotators left out: 0 in every label map."""

_OTHERS = {
    "otherstructure": ("column", "fireplace", "heater"),
    "otherfurniture": ("ottoman", "piano", "stool", "tv stand"),
    "otherprop": ("ball", "bottle", "cup", "garbage bin", "keyboard", "microwave", "monitor", "plant", "vase"),
}
_SHARES = {"otherstructure": 68, "otherfurniture": 82, "otherprop": 707}
"""How many of the 894 raw names fall to each of the last three classes, as published; the others have one each."""


def _raw() -> tuple[str, ...]:
    """All 894 names, those that no room holds being numbered, in an order that tells nothing about the class."""
    names = [*CLASSES[:-3]]
    for other, count in _SHARES.items():
        known = _OTHERS[other]
        names += [*known, *(f"{other} {number:03d}" for number in range(1, count - len(known) + 1))]
    order = generator(0, "nyud", "raw names").permutation(len(names))
    return tuple(names[place] for place in order)


def _class_of(name: str) -> int:
    """The class (1–40) that a raw name is mapped to."""
    home = next((other for other, known in _OTHERS.items() if name in known), name)
    return CLASSES.index(home if home in CLASSES else home[:-4]) + 1


RAW: tuple[str, ...] = _raw()
"""Raw label i of a label map (1–894) is ``RAW[i - 1]``."""

RAW_LABEL: dict[str, int] = {UNLABELLED: 0} | {name: label for label, name in enumerate(RAW, 1)}

MAP_CLASS: NDArray[np.uint8] = np.array([_class_of(name) for name in RAW], np.uint8)
"""``MAP_CLASS[i - 1]`` is the class (1–40) of raw label i."""
