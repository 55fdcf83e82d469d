"""Alter a drawn sample, image and labels alike: mirror, shift, cut a window, sample its cells (section 4.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline import determinism

JITTER = 32  # pixels: "the coarsest scale of prediction"
CELL = 32  # pixels: the stride of the final layer
TRIES = 10  # windows
Pixel = TypeVar("Pixel", bound=np.generic)


@dataclass(frozen=True, kw_only=True)
class Move:
    """A sample is ``mirrored`` left to right, then shifted ``down`` and ``right`` by whole pixels."""

    mirrored: bool
    down: int = 0
    right: int = 0

    def apply(self, pixels: NDArray[Pixel], fill: Any) -> NDArray[Pixel]:
        """Move an H×W or H×W×C map; what comes from beyond its edge is ``fill``, one value or one a channel."""
        moved = np.empty_like(pixels)
        moved[...] = fill
        source = pixels[:, ::-1] if self.mirrored else pixels
        (to_y, from_y), (to_x, from_x) = _overlap(self.down, len(pixels)), _overlap(self.right, pixels.shape[1])
        moved[to_y, to_x] = source[from_y, from_x]
        return moved


def move(seed: int, draw: int, alter: str = "jitter") -> Move:
    """The move of a draw, a pure function of its arguments: half are mirrored, shifts are uniform to ±32 pixels.

    To ``mirror`` does not shift.
    """
    rng = np.random.default_rng(determinism.mix(seed, "move", draw))
    down, right = rng.integers(-JITTER, JITTER + 1, 2).tolist()
    mirrored = bool(rng.random() < 0.5)
    return Move(mirrored=mirrored, down=down, right=right) if alter == "jitter" else Move(mirrored=mirrored)


def window(
    seed: int, draw: int, side: int, labels: Mapping[str, NDArray[np.uint8]], ignored: Mapping[str, int]
) -> tuple[slice, slice]:
    """Rows and columns of a draw's window: ``side`` × ``side`` px, less where the picture ends before.

    ``labels`` are H×W by head, ``ignored`` their ignore labels. A pure function of its arguments, uniform over all
    places. A window without a valid pixel is drawn again: a step on it would learn nothing. After ``TRIES`` such ones
    the last stays, as a picture does that is void all over: its loss is 0, and it counts no pixel.
    """
    rng = np.random.default_rng(determinism.mix(seed, "window", draw))
    shape = next(iter(labels.values())).shape
    for _ in range(TRIES):
        top, left = (int(rng.integers(0, max(0, length - side) + 1)) for length in shape)
        place = slice(top, top + side), slice(left, left + side)
        if any((labels[head][place] != void).any() for head, void in ignored.items()):
            break
    return place


def sampled(label: NDArray[np.uint8], seed: int, draw: int, share: float, ignore_label: int) -> NDArray[np.uint8]:
    """A copy of an H×W label in which each cell of 32×32 pixels stays with probability ``share`` and else is ignored.

    The cells are the final layer's, so this samples the patches that are its receptive fields; the same for every head
    of a draw.
    """
    rows, columns = (-(-length // CELL) for length in label.shape)
    kept = np.random.default_rng(determinism.mix(seed, "cells", draw)).random((rows, columns)) < share
    pixels = kept.repeat(CELL, 0).repeat(CELL, 1)[: label.shape[0], : label.shape[1]]
    return np.where(pixels, label, np.uint8(ignore_label))


def _overlap(shift: int, length: int) -> tuple[slice, slice]:
    """Where the pixels that stay land when ``length`` of them are moved by ``shift``, and where they come from."""
    stay = max(0, length - abs(shift))
    to, start = max(0, shift), max(0, -shift)
    return slice(to, to + stay), slice(start, start + stay)
