"""Textures that fill space: tone 0–1 at points given in periods. What is solid has no seams."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.miniature.shared.chance import Field
from pipeline.miniature.shared.noise import mottle

Texture = Callable[[Field, Field, Field], Field]
"""x, y, z in periods → tone, 0 dark to 1 light."""


def plain(x: Field, y: Field, z: Field) -> Field:
    """Nearly even."""
    return 0.5 + 0.3 * (mottle(x / 8 + z / 11, y / 8 + z / 7) - 0.5)


def bands(x: Field, y: Field, z: Field) -> Field:
    """Layers, one above the other."""
    return _odd(z + 0.15 * mottle(x / 8, y / 8))


def stripes(x: Field, y: Field, z: Field) -> Field:
    """Upright stripes."""
    return _odd(x + y)


def diagonal(x: Field, y: Field, z: Field) -> Field:
    """Stripes that lean."""
    return _odd(x + y + z)


def checks(x: Field, y: Field, z: Field) -> Field:
    """A chessboard on every face."""
    return np.asarray(((np.floor(x) + np.floor(y) + np.floor(z)) % 2).astype(np.float64))


def spots(x: Field, y: Field, z: Field) -> Field:
    """Dark spots in rows, every second one moved by half."""
    row = np.floor(z)
    a, c = x + y + 0.5 * (row % 2), z - row - 0.5
    a = a - np.floor(a) - 0.5
    return np.where(a * a + c * c < 0.1, 0.0, 1.0)


def bricks(x: Field, y: Field, z: Field) -> Field:
    """Courses of bricks with light joints."""
    row = np.floor(z)
    along = (x + y) / 2 + 0.5 * (row % 2)
    joint = (z - row < 0.2) | (along - np.floor(along) < 0.12)
    return np.where(joint, 1.0, 0.4 * mottle(np.floor(along) / 9, row / 9))


def grid(x: Field, y: Field, z: Field) -> Field:
    """Thin dark lines both ways."""
    a, c = x + y, z
    line = (a - np.floor(a) < 0.22) | (c - np.floor(c) < 0.22)
    return np.where(line, 0.0, 1.0)


def tiles(x: Field, y: Field, z: Field) -> Field:
    """Squares on the ground with thin dark joints."""
    line = (x - np.floor(x) < 0.12) | (y - np.floor(y) < 0.12)
    return np.where(line, 0.0, 1.0)


def rows(x: Field, y: Field, z: Field) -> Field:
    """Furrows on the ground."""
    return _odd(x + 0.3 * mottle(x / 8, y / 8))


def waves(x: Field, y: Field, z: Field) -> Field:
    """Crests on the ground that come and go."""
    return _odd(y + z + 2 * mottle(x / 12, y / 12))


def wool(x: Field, y: Field, z: Field) -> Field:
    """Fine and strong noise."""
    return mottle((x + z) / 2, (y + z) / 2)


def clouds(x: Field, y: Field, z: Field) -> Field:
    """Soft and large noise."""
    return mottle(x / 8 + z / 9, y / 8 + z / 7)


def blotches(x: Field, y: Field, z: Field) -> Field:
    """Patches with sharp edges."""
    return np.where(mottle(x / 6 + z / 9, y / 6 + z / 6) > 0.5, 1.0, 0.0)


def grain(x: Field, y: Field, z: Field) -> Field:
    """Wood: noise drawn out along x."""
    return mottle(x / 24, (y + z) / 3)


def _odd(value: Field) -> Field:
    return np.asarray((np.floor(value) % 2).astype(np.float64))
