"""SIFT Flow's 33 classes in the published order, and what way each of them faces."""

from __future__ import annotations

import numpy as np

NAMES = (
    *("awning", "balcony", "bird", "boat", "bridge", "building", "bus", "car", "cow", "crosswalk", "desert"),
    *("door", "fence", "field", "grass", "moon", "mountain", "person", "plant", "pole", "river", "road"),
    *("rock", "sand", "sea", "sidewalk", "sign", "sky", "staircase", "streetlight", "sun", "tree", "window"),
)
GEOMETRIES = ("sky", "horizontal", "vertical")

CODE = {name: code for code, name in enumerate(NAMES, 1)}
"""What a map says for a class; 0 is unlabelled."""

THING = len(NAMES) + 1
"""On a stage only: something solid that is none of the classes."""

_SKY = ("sky", "sun", "moon")
HORIZONTAL = ("crosswalk", "desert", "field", "grass", "river", "road", "sand", "sea", "sidewalk")


def _facing(name: str) -> int:
    return 1 if name in _SKY else 2 if name in HORIZONTAL else 3


FACING = np.array([-1, *map(_facing, NAMES), 3], np.int8)
"""Geometry (1 sky, 2 horizontal, 3 vertical, −1 void) by code."""
