"""Flat primitives that know how far a pixel lies from their edge; a union of them is an object's outline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Where each pixel of a box lies in an object's own frame.

    ``u`` and ``v`` (H×W float32) are pixels right and down of the object's centre along its own axes; ``width`` and
    ``height`` are the pixels that one object unit spans; no part is drawn thinner than ``thin`` pixels each side.
    """

    u: Field
    v: Field
    width: float
    height: float
    thin: float

    @property
    def unit(self) -> float:
        """Pixels per object unit for lengths without a direction, such as a tube's radius."""
        return math.sqrt(self.width * self.height)


class Primitive(Protocol):
    """Anything with an edge, given in object units: the object fills the square −0.5 … 0.5, y pointing down."""

    def distance(self, grid: Grid) -> Field:
        """Signed pixels from the edge, negative inside (H×W float32; exact near the edge)."""


@dataclass(frozen=True)
class Ellipse:
    """Centre (x, y) and half axes (a, b)."""

    x: float
    y: float
    a: float
    b: float

    def distance(self, grid: Grid) -> Field:
        u, v = grid.u - self.x * grid.width, grid.v - self.y * grid.height
        a, b = max(self.a * grid.width, grid.thin), max(self.b * grid.height, grid.thin)
        reach = np.hypot(u / a, v / b)
        steepness = np.hypot(u / (a * a), v / (b * b)) + 1e-6
        return np.asarray((reach - 1) * reach / steepness - (reach < 1e-3) * min(a, b), np.float32)


@dataclass(frozen=True)
class Ring:
    """An ellipse's outline: centre (x, y), half axes (a, b), ``half`` the half thickness."""

    x: float
    y: float
    a: float
    b: float
    half: float

    def distance(self, grid: Grid) -> Field:
        edge = Ellipse(self.x, self.y, self.a, self.b).distance(grid)
        return np.asarray(np.abs(edge) - max(self.half * grid.unit, grid.thin), np.float32)


@dataclass(frozen=True)
class Box:
    """Centre (x, y), half sides (a, b), corners rounded by ``corner``."""

    x: float
    y: float
    a: float
    b: float
    corner: float = 0.0

    def distance(self, grid: Grid) -> Field:
        corner = self.corner * grid.unit
        u = np.abs(grid.u - self.x * grid.width) - (max(self.a * grid.width, grid.thin) - corner)
        v = np.abs(grid.v - self.y * grid.height) - (max(self.b * grid.height, grid.thin) - corner)
        outside = np.hypot(np.maximum(u, 0), np.maximum(v, 0))
        return np.asarray(outside + np.minimum(np.maximum(u, v), 0) - corner, np.float32)


@dataclass(frozen=True)
class Tube:
    """All points within ``half`` of the segment from (x0, y0) to (x1, y1)."""

    x0: float
    y0: float
    x1: float
    y1: float
    half: float

    def distance(self, grid: Grid) -> Field:
        du, dv = (self.x1 - self.x0) * grid.width, (self.y1 - self.y0) * grid.height
        u, v = grid.u - self.x0 * grid.width, grid.v - self.y0 * grid.height
        along = np.clip((u * du + v * dv) / (du * du + dv * dv), 0, 1)
        away = np.hypot(u - along * du, v - along * dv)
        return np.asarray(away - max(self.half * grid.unit, grid.thin), np.float32)


@dataclass(frozen=True)
class Polygon:
    """A convex polygon: its corners, clockwise as seen (y down)."""

    corners: tuple[tuple[float, float], ...]

    def distance(self, grid: Grid) -> Field:
        points = [(x * grid.width, y * grid.height) for x, y in self.corners]
        edge = np.full_like(grid.u, -np.inf)
        for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
            length = math.hypot(x1 - x0, y1 - y0)
            normal_u, normal_v = (y1 - y0) / length, (x0 - x1) / length
            offset = normal_u * x0 + normal_v * y0
            np.maximum(edge, normal_u * grid.u + normal_v * grid.v - offset, out=edge)
        return edge
