"""Smooth noise, and textures that fill space: tone 0–1 at points given in periods. What is solid has no seams."""

from collections.abc import Callable
from functools import cache

import numpy as np

from pipeline.miniature.shared.chance import Chance, Field

SIZE = 256  # pixels of the tile's edge, a power of two
_OCTAVES = (4, 8, 16, 32, 64)  # cells to the edge, each octave with half the weight of the one before

Texture = Callable[[Field, Field, Field], Field]
"""x, y, z in periods → tone, 0 dark to 1 light."""


@cache
def tile() -> Field:
    """Fractal noise that repeats without a seam: SIZE × SIZE values from 0 to 1, the same in every process."""
    chance = Chance(0, "noise")
    total = np.zeros((SIZE, SIZE))
    weight = 1.0
    for cells in _OCTAVES:
        total += weight * _octave(chance.raw(cells, cells) / 255.0)
        weight *= 0.6
    low, high = total.min(), total.max()
    return np.asarray((total - low) / (high - low))


def _octave(lattice: Field) -> Field:
    """A square lattice, interpolated smoothly to the tile's size; its edges meet."""
    cells = len(lattice)
    place = np.arange(SIZE) * cells / SIZE
    first = place.astype(np.int64)
    share = place - first
    share = share * share * (3 - 2 * share)
    second = (first + 1) % cells
    rows = lattice[first] + share[:, None] * (lattice[second] - lattice[first])
    return np.asarray(rows[:, first] + share[None, :] * (rows[:, second] - rows[:, first]))


def mottle(x: Field, y: Field) -> Field:
    """Noise of 0–1 at points given in tiles: a feature of the coarsest octave is a quarter long."""
    column = np.floor(x * SIZE).astype(np.int64) & (SIZE - 1)
    row = np.floor(y * SIZE).astype(np.int64) & (SIZE - 1)
    noise: Field = tile()[row, column]
    return noise


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
