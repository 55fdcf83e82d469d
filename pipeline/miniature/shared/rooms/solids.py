"""What rooms are built of: boxes, ellipsoids and upright cylinders, each with a raw name and a finish."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.miniature.shared._shapes import Field
from pipeline.miniature.shared.rooms.finish import Finish

BOX, ELLIPSOID, CYLINDER = range(3)
SHELL = 3
"""The first solids of a room are its floor, ceiling and walls, each the whole room's box seen from inside."""

Point = tuple[float, float, float]
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Part:
    """One solid in its piece's frame: metres, x along the wall, y out of it (0 = the wall), z up (0 = the floor).

    ``half`` are half extents; a cylinder stands upright. ``name`` is a raw name, "" leaves the part unlabelled. Parts
    of a piece that share name and ``number`` are one instance.
    """

    shape: int
    centre: Point
    half: Point
    name: str
    finish: Finish
    number: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """Furniture or a fitting: its extents along the wall, out of it and up, all in metres, and its parts.

    ``low`` is where it begins above the floor; ``thing`` is what it was built as.
    """

    thing: str
    width: float
    depth: float
    low: float
    high: float
    parts: tuple[Part, ...]


def box(x: Span, y: Span, z: Span, name: str, finish: Finish) -> Part:
    """A box by its bounds."""
    return _part(BOX, x, y, z, name, finish)


def ellipsoid(x: Span, y: Span, z: Span, name: str, finish: Finish, number: int = 0) -> Part:
    """An ellipsoid by the bounds of the box around it."""
    return replace(_part(ELLIPSOID, x, y, z, name, finish), number=number)


def cylinder(x: Span, y: Span, z: Span, name: str, finish: Finish) -> Part:
    """An upright elliptic cylinder by the bounds of the box around it."""
    return _part(CYLINDER, x, y, z, name, finish)


def _part(shape: int, x: Span, y: Span, z: Span, name: str, finish: Finish) -> Part:
    centre = ((x[0] + x[1]) / 2, (y[0] + y[1]) / 2, (z[0] + z[1]) / 2)
    half = ((x[1] - x[0]) / 2, (y[1] - y[0]) / 2, (z[1] - z[0]) / 2)
    return Part(shape, centre, half, name, finish)


def piece(thing: str, width: float, depth: float, *parts: Part) -> Piece:
    """A piece that fills −width/2 … width/2 along the wall and 0 … depth out of it; its parts tell the height."""
    low = min(part.centre[2] - part.half[2] for part in parts)
    high = max(part.centre[2] + part.half[2] for part in parts)
    return Piece(thing, width, depth, low, high, parts)


@dataclass(frozen=True, kw_only=True)
class Solids:
    """K solids in the room's frame as arrays: shape (K,), centre and half (K×3), the cosine and sine of each yaw (K,).

    Angles count from x towards y. Boxes that stand square to the walls have yaw 0.
    """

    shape: NDArray[np.uint8]
    centre: Field
    half: Field
    cos: Field
    sin: Field


@dataclass(frozen=True, slots=True)
class Placed:
    """A piece in the room: where its frame's origin lies (metres) and how far it is turned (radians)."""

    piece: Piece
    x: float
    y: float
    yaw: float

    def parts(self) -> list[tuple[Part, float]]:
        """Its parts in the room's frame, each with the yaw that is left after whole quarter turns."""
        cos, sin = math.cos(self.yaw), math.sin(self.yaw)
        quarters = round(self.yaw / (math.pi / 2))
        square = abs(self.yaw - quarters * math.pi / 2) < 1e-9
        return [
            (_turned(part, self.x, self.y, cos, sin, square and quarters % 2 == 1), 0.0 if square else self.yaw)
            for part in self.piece.parts
        ]


def _turned(part: Part, x: float, y: float, cos: float, sin: float, swap: bool) -> Part:
    u, v, z = part.centre
    a, b, c = part.half
    centre = (x + cos * u - sin * v, y + sin * u + cos * v, z)
    return replace(part, centre=centre, half=(b, a, c) if swap else part.half)


def solids(parts: Sequence[tuple[Part, float]]) -> Solids:
    """Stack parts with their yaws."""
    yaw = np.array([yaw for _, yaw in parts])
    return Solids(
        shape=np.array([part.shape for part, _ in parts], np.uint8),
        centre=np.array([part.centre for part, _ in parts], np.float32),
        half=np.array([part.half for part, _ in parts], np.float32),
        cos=np.cos(yaw).astype(np.float32),
        sin=np.sin(yaw).astype(np.float32),
    )
