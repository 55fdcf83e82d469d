"""Photographs that look alike though their pixels differ: saved anew, resized, or the next frame of a video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

ROWS, COLUMNS = 8, 9  # cells of the grid; a bit for each two neighbours of a row
ALIKE = 4  # bits of 64 that differ at most
FEW = 8  # bits that a picture needs of either value: one with less, such as a plain wall, looks like many

Pair = tuple[int, int, int]
"""Places in two splits, and the bits that differ."""


def difference_hash(image: NDArray[np.uint8]) -> int:
    """64 bits of H×W×3 RGB: which cells of an 8×9 grid are brighter than their right neighbour, row by row.

    On whole numbers, so the same on every processor. 0 for a picture with too little in it to be told from others.
    """
    height, width = image.shape[:2]
    tops, lefts = (np.arange(cells) * side // cells for cells, side in ((ROWS, height), (COLUMNS, width)))
    sums = np.add.reduceat(np.add.reduceat(image, tops, 0, dtype=np.int64), lefts, 1) @ np.array([299, 587, 114])
    widths = np.maximum(np.diff(lefts, append=width), 1)
    bits = sums[:, :-1] * widths[1:] > sums[:, 1:] * widths[:-1]
    if not FEW <= int(bits.sum()) <= bits.size - FEW:
        return 0
    return int.from_bytes(np.packbits(bits).tobytes())


def alike(one: Sequence[int], other: Sequence[int]) -> Iterator[Pair]:
    """For each hash of ``other``, the nearest in ``one`` of which at most ``ALIKE`` bits differ, where there is one.

    A million comparisons take about 4 ms.
    """
    ones = np.array(one, np.uint64)
    for place, value in enumerate(other):
        if value and len(ones):
            distances = np.where(ones, np.bitwise_count(ones ^ np.uint64(value)), 64)
            nearest = int(distances.argmin())
            if distances[nearest] <= ALIKE:
                yield nearest, place, int(distances[nearest])
