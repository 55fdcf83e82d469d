"""What hangs on walls or lies on floors, too flat for depth to show, and what stands out of walls."""

from __future__ import annotations

import numpy as np

from pipeline.miniature.shared.rooms.finish import Decor
from pipeline.miniature.shared.rooms.solids import Part, Piece, box, piece

FLAT = 0.004
"""Thickness in metres of what hangs on a wall: below a Kinect's step at any distance in a room."""


def door(rng: np.random.Generator, decor: Decor) -> Piece:
    """Closed, in its frame."""
    return _hung(decor, "door", rng.uniform(0.45, 0.75), (0.0, rng.uniform(1.95, 2.1)))


def window(rng: np.random.Generator, decor: Decor) -> Piece:
    """Panes, the light of day behind them."""
    low = rng.uniform(0.85, 1.05)
    return _hung(decor, "window", rng.uniform(0.7, 1.3), (low, low + rng.uniform(1.0, 1.3)))


def curtained_window(rng: np.random.Generator, decor: Decor) -> Piece:
    """A window between two curtains that reach the floor."""
    half, high, cloth = rng.uniform(0.45, 0.8), rng.uniform(2.0, 2.3), decor.finish("curtain")
    wide = rng.uniform(0.35, 0.6)
    return piece(
        "curtained window",
        2 * (half + wide),
        0.015,
        box((-half, half), (0.0, FLAT), (0.9, high - 0.1), "window", decor.finish("window")),
        box((-half - wide, -half), (0.0, 0.015), (0.02, high), "curtain", cloth),
        box((half, half + wide), (0.0, 0.015), (0.02, high), "curtain", cloth),
    )


def curtain(rng: np.random.Generator, decor: Decor) -> Piece:
    """Drawn shut."""
    return _hung(decor, "curtain", rng.uniform(0.8, 1.4), (0.02, rng.uniform(2.0, 2.3)), 0.015)


def blinds(rng: np.random.Generator, decor: Decor) -> Piece:
    """Let down over a window."""
    low = rng.uniform(0.7, 1.0)
    return _hung(decor, "blinds", rng.uniform(0.7, 1.4), (low, low + rng.uniform(1.0, 1.4)))


def picture(rng: np.random.Generator, decor: Decor) -> Piece:
    """Framed, at the height of the eyes."""
    low = rng.uniform(1.1, 1.4)
    return _hung(decor, "picture", rng.uniform(0.45, 1.0), (low, low + rng.uniform(0.7, 1.05)))


def mirror(rng: np.random.Generator, decor: Decor) -> Piece:
    """Framed, its foot lower than a picture's."""
    low = rng.uniform(0.95, 1.2)
    return _hung(decor, "mirror", rng.uniform(0.5, 0.9), (low, low + rng.uniform(0.7, 1.0)))


def whiteboard(rng: np.random.Generator, decor: Decor) -> Piece:
    """As wide as a wall lets it."""
    low = rng.uniform(0.8, 1.0)
    return _hung(decor, "whiteboard", rng.uniform(0.9, 1.6), (low, low + rng.uniform(0.95, 1.25)))


def television(rng: np.random.Generator, decor: Decor) -> Piece:
    """A dark panel."""
    half, low = rng.uniform(0.55, 0.85), rng.uniform(0.8, 1.2)
    return _hung(decor, "television", half, (low, low + 1.2 * half))


def paper(rng: np.random.Generator, decor: Decor) -> Piece:
    """Two to four printed sheets side by side."""
    count, low = int(rng.integers(2, 5)), rng.uniform(0.95, 1.3)
    width, high = rng.uniform(0.4, 0.6), rng.uniform(0.5, 0.8)
    left = -count * width / 2
    sheets = [
        box(
            (left + k * width, left + (k + 0.9) * width), (0.0, FLAT), (low, low + high), "paper", decor.finish("paper")
        )
        for k in range(count)
    ]
    return piece("paper", count * width, FLAT, *sheets)


def towel(rng: np.random.Generator, decor: Decor) -> Piece:
    """Hung from a rail."""
    high = rng.uniform(1.3, 1.6)
    return _hung(decor, "towel", rng.uniform(0.32, 0.5), (high - rng.uniform(0.7, 1.0), high), 0.03)


def clothes(rng: np.random.Generator, decor: Decor) -> Piece:
    """Coats on a rack."""
    half, high = rng.uniform(0.35, 0.6), rng.uniform(1.5, 1.8)
    low = high - rng.uniform(0.75, 1.0)
    return _hung(decor, "clothes", half, (low, high), rng.uniform(0.02, 0.05))


def column(rng: np.random.Generator, decor: Decor) -> Piece:
    """From the floor to the ceiling."""
    half, depth = rng.uniform(0.2, 0.35), rng.uniform(0.25, 0.4)
    return piece(
        "column", 2 * half, depth, box((-half, half), (0, depth), (0.0, 3.0), "column", decor.finish("column"))
    )


def heater(rng: np.random.Generator, decor: Decor) -> Piece:
    """A radiator a little above the floor."""
    half, high = rng.uniform(0.4, 0.7), rng.uniform(0.55, 0.75)
    ribs = decor.finish("heater")
    return piece("heater", 2 * half, 0.12, box((-half, half), (0.02, 0.12), (0.08, high), "heater", ribs))


def fireplace(rng: np.random.Generator, decor: Decor) -> Piece:
    """Two piers, a lintel and a mantelpiece round a dark hearth."""
    half, high, stone = rng.uniform(0.6, 0.8), rng.uniform(1.05, 1.25), decor.finish("fireplace")
    soot = decor.finish("television")
    return piece(
        "fireplace",
        2 * half,
        0.4,
        box((-half, -half + 0.25), (0.0, 0.3), (0.0, high), "fireplace", stone),
        box((half - 0.25, half), (0.0, 0.3), (0.0, high), "fireplace", stone),
        box((-half + 0.25, half - 0.25), (0.0, 0.3), (0.7, high), "fireplace", stone),
        box((-half - 0.05, half + 0.05), (0.0, 0.4), (high, high + 0.07), "fireplace", stone),
        box((-half + 0.25, half - 0.25), (0.0, 0.05), (0.0, 0.7), "fireplace", soot),
    )


def floor_mat(rng: np.random.Generator, decor: Decor) -> Piece:
    """Half a centimetre on the floor."""
    half, depth = rng.uniform(0.5, 0.9), rng.uniform(0.7, 1.4)
    weave = decor.finish("floor mat")
    return piece("floor mat", 2 * half, depth, box((-half, half), (0, depth), (0.0, 0.005), "floor mat", weave))


def _hung(decor: Decor, name: str, half: float, z: tuple[float, float], depth: float = FLAT) -> Piece:
    part: Part = box((-half, half), (0.0, depth), z, name, decor.finish(name))
    return piece(name, 2 * half, depth, part)
