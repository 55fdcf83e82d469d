"""Smooth noise from one tile: fractal, it repeats without a seam, and is looked up instead of computed."""

from __future__ import annotations

from functools import cache

import numpy as np

from pipeline.miniature.shared.chance import Chance, Field

SIZE = 256  # pixels of the tile's edge
_OCTAVES = (4, 8, 16, 32, 64)  # cells to the edge, each octave with half the weight of the one before


@cache
def tile() -> Field:
    """SIZE × SIZE values from 0 to 1, the same in every process."""
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
    column = np.floor(x * SIZE).astype(np.int64) % SIZE
    row = np.floor(y * SIZE).astype(np.int64) % SIZE
    return tile()[row, column]
