"""A dozen shapes of unit size, and where a ray meets each: boxes, balls, what tapers, and flat ones."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.miniature.shared.chance import Field

Axes = tuple[Field, Field, Field]
Point = tuple[float, float, float]
SIDE_X, SIDE_Y, END, ROUND = 0, 1, 2, 3  # faces


@dataclass(frozen=True)
class Shape:
    """All points of |x|, |y|, |z| ≤ 1 that the family admits.

    Families: ``box`` (x and y taper on their own), ``round`` about z (by the first taper), ``ball``, and ``flat``: the
    part of z = 0 that ``outline`` (x, y → bool) admits. ``taper`` 1 ends the sides in a point or a ridge at z = 1,
    −1 at z = −1, 0 keeps them upright.
    """

    family: str
    taper: tuple[float, float] = (0.0, 0.0)
    outline: Callable[[Field, Field], NDArray[np.bool_]] | None = None


BOX = Shape("box")
ROOF = Shape("box", (0.0, 1.0))
PYRAMID = Shape("box", (1.0, 1.0))
HULL = Shape("box", (-0.35, -0.4))
RIDGE = Shape("box", (-1.0, 0.0))
BEVEL = Shape("box", (-0.6, -0.6))
CABIN = Shape("box", (0.35, 0.15))
CYLINDER = Shape("round")
CONE = Shape("round", (1.0, 1.0))
POT = Shape("round", (-0.35, -0.35))
SHADE = Shape("round", (0.5, 0.5))
BALL = Shape("ball")
SQUARE = Shape("flat", outline=lambda x, y: (np.abs(x) <= 1) & (np.abs(y) <= 1))
DISC = Shape("flat", outline=lambda x, y: x * x + y * y <= 1)
RING = Shape("flat", outline=lambda x, y: (x * x + y * y <= 1) & (x * x + y * y >= 0.36))
CRESCENT = Shape("flat", outline=lambda x, y: (x * x + y * y <= 1) & ((x - 0.6) * (x - 0.6) + y * y >= 0.64))
TRIANGLE = Shape("flat", outline=lambda x, y: (np.abs(y) <= 1) & (np.abs(x) <= (1 - y) / 2))
LEAF = Shape("flat", outline=lambda x, y: (np.abs(x) <= 1) & (np.abs(y) <= 0.5 * (1 - x * x) * (1 + 0.5 * x)))


def meet(shape: Shape, o: Point, d: Axes) -> tuple[Field, NDArray[np.int8]]:
    """How many ``d`` from ``o`` on each ray first enters the shape (inf: never), and by which face."""
    if shape.family == "flat":
        return _flat(shape, o, d)
    if shape.family == "ball":
        low, high = _sphere(o, d)
        return _first(low, high), np.full(low.shape, ROUND, np.int8)
    bottom, top = _slab(o[2], d[2])
    if shape.family == "round":
        low, high = _around(o, d, shape.taper[0])
        entry = np.maximum(low, bottom)
        return _first(entry, np.minimum(high, top)), np.where(low > bottom, np.int8(ROUND), np.int8(END))
    x_low, x_high = _sides(o[0], d[0], o[2], d[2], shape.taper[0])
    y_low, y_high = _sides(o[1], d[1], o[2], d[2], shape.taper[1])
    side = np.maximum(x_low, y_low)
    entry = np.maximum(side, bottom)
    leave = np.minimum(np.minimum(x_high, y_high), top)
    which = np.where(x_low > y_low, np.int8(SIDE_X), np.int8(SIDE_Y))
    return _first(entry, leave), np.where(side > bottom, which, np.int8(END))


def normal(shape: Shape, face: NDArray[np.int8], x: Field, y: Field, z: Field) -> Axes:
    """The outward normal, of any length, at points of the surface."""
    if shape.family == "flat":
        return np.zeros_like(x), np.zeros_like(x), np.ones_like(x)
    if shape.family == "ball":
        return x, y, z
    end = np.where(face == END, np.sign(z), 0.0)
    if shape.family == "round":
        side = face == ROUND
        level, slope = _radius(shape.taper[0])
        return np.where(side, x, 0.0), np.where(side, y, 0.0), np.where(side, -slope * (level + slope * z), end)
    by_x, by_y = face == SIDE_X, face == SIDE_Y
    rise = np.where(by_x, shape.taper[0] / 2, np.where(by_y, shape.taper[1] / 2, end))
    return np.where(by_x, np.sign(x), 0.0), np.where(by_y, np.sign(y), 0.0), rise


def _first(entry: Field, leave: Field) -> Field:
    return np.where((entry < leave) & (entry > 0), entry, np.inf)


def _flat(shape: Shape, o: Point, d: Axes) -> tuple[Field, NDArray[np.int8]]:
    assert shape.outline is not None
    t = -o[2] / d[2]
    inside = shape.outline(o[0] + t * d[0], o[1] + t * d[1])
    return np.where(inside & (t > 0), t, np.inf), np.full(t.shape, END, np.int8)


def _slab(o: float, d: Field) -> tuple[Field, Field]:
    """Where each ray enters and leaves −1 … 1 of one coordinate."""
    inverse = 1 / d
    one, other = (-1 - o) * inverse, (1 - o) * inverse
    return np.minimum(one, other), np.maximum(one, other)


def _radius(taper: float) -> tuple[float, float]:
    """Level and slope of what bounds the sides: level + slope · z, at most 1."""
    return 1 - abs(taper) / 2, -taper / 2


def _sides(o: float, d: Field, oz: float, dz: Field, taper: float) -> tuple[Field, Field]:
    """The same between two sides that lean towards each other."""
    if taper == 0:
        return _slab(o, d)
    level, slope = _radius(taper)
    low, high = np.full(d.shape, -np.inf), np.full(d.shape, np.inf)
    for sign in (-1.0, 1.0):
        gap, speed = level - sign * o + slope * oz, sign * d - slope * dz
        t = gap / speed
        low = np.where(speed < 0, np.maximum(low, t), low)
        high = np.where(speed > 0, np.minimum(high, t), high)
    return low, high


def _roots(a: Field, b: Field, c: float) -> tuple[Field, Field]:
    """The smaller and the larger root; inf and −inf where there is none."""
    under = b * b - a * c
    root = np.sqrt(np.maximum(under, 0))
    one, other = (-b - root) / a, (root - b) / a
    none = under <= 0
    return np.where(none, np.inf, np.minimum(one, other)), np.where(none, -np.inf, np.maximum(one, other))


def _sphere(o: Point, d: Axes) -> tuple[Field, Field]:
    a = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
    b = o[0] * d[0] + o[1] * d[1] + o[2] * d[2]
    return _roots(a, b, o[0] * o[0] + o[1] * o[1] + o[2] * o[2] - 1)


def _around(o: Point, d: Axes, taper: float) -> tuple[Field, Field]:
    """Where each ray enters and leaves what is round about z: a cylinder, or the cone that the taper makes of it."""
    level, slope = _radius(taper)
    radius = level + slope * o[2]
    a = d[0] * d[0] + d[1] * d[1] - (slope * slope) * (d[2] * d[2])
    b = o[0] * d[0] + o[1] * d[1] - (slope * radius) * d[2]
    low, high = _roots(a, b, o[0] * o[0] + o[1] * o[1] - radius * radius)
    steep = a < 0  # steeper than the cone's side: within it before the first root, or from the second on
    towards = (d[2] < 0) == (taper > 0)  # to where it is wide
    return (
        np.where(steep, np.where(towards, high, -np.inf), low),
        np.where(steep, np.where(towards, np.inf, low), high),
    )
