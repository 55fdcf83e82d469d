"""Which solid each ray meets first, and how far along the camera's axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.miniature.shared._shapes import Field
from pipeline.miniature.shared.rooms.solids import BOX, CYLINDER, Solids
from pipeline.miniature.shared.rooms.viewpoint import Rays

Window = tuple[slice, slice]
Span = tuple[Field, Field]
"""Where rays enter and leave a solid; those that miss it leave before they enter."""

_NEAR = 0.2  # metres; solids that reach behind this plane are tried on every ray
_CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)


@dataclass(frozen=True, kw_only=True)
class Hits:
    """H×W: depth in metres along the camera's axis (float32); the number of the solid that is seen (int16)."""

    depth: Field
    solid: NDArray[np.int16]


def cast(rays: Rays, solids: Solids, first: int) -> Hits:
    """Look from inside solid 0, a box, at solids ``first`` … K−1; rays that meet none of them end on the box (0)."""
    frame = _Turned(rays)
    _, depth = frame.span(solids, 0, (slice(None), slice(None)))
    solid = np.zeros(depth.shape, np.int16)
    windows = _windows(rays, solids)
    for number in range(first, len(solids.shape)):
        window = windows[number]
        if window is None:
            continue
        enter, leave = frame.span(solids, number, window)
        closer = (enter < leave) & (enter < depth[window]) & (enter > 0)
        np.copyto(depth[window], enter, where=closer)
        np.copyto(solid[window], np.int16(number), where=closer)
    return Hits(depth=depth, solid=solid)


class _Turned:
    """Rays as seen from frames turned about the vertical; each turn is worked out once."""

    def __init__(self, rays: Rays) -> None:
        self._rays = rays
        self._directions: dict[tuple[float, float], list[tuple[Field, Field]]] = {}

    def span(self, solids: Solids, number: int, window: Window) -> Span:
        """Where the window's rays enter and leave a solid."""
        cos, sin = float(solids.cos[number]), float(solids.sin[number])
        x, y, z = (self._rays.origin - solids.centre[number]).tolist()
        origin = (cos * x + sin * y, cos * y - sin * x, z)
        half = solids.half[number].tolist()
        if (cos, sin) not in self._directions:
            self._directions[cos, sin] = self._turn(cos, sin)
        directions = self._directions[cos, sin]
        if solids.shape[number] == BOX:
            return _slabs([direction[1][window] for direction in directions], origin, half)
        along = [direction[0][window] for direction in directions]
        if solids.shape[number] == CYLINDER:
            upright = _slabs([directions[2][1][window]], origin[2:], half[2:])
            round_ = _quadric(along[:2], origin[:2], half[:2])
            return np.maximum(upright[0], round_[0]), np.minimum(upright[1], round_[1])
        return _quadric(along, origin, half)

    def _turn(self, cos: float, sin: float) -> list[tuple[Field, Field]]:
        """Per axis the directions and their reciprocals."""
        x, y, z = self._rays.x, self._rays.y, self._rays.z
        if sin != 0:
            x, y = np.float32(cos) * x + np.float32(sin) * y, np.float32(cos) * y - np.float32(sin) * x
        return [(axis, np.reciprocal(np.where(axis == 0, np.float32(1e-9), axis))) for axis in (x, y, z)]


def _slabs(reciprocals: list[Field], origin: tuple[float, ...], half: list[float]) -> Span:
    """Between pairs of planes at ±half on each axis."""
    enter: Field | None = None
    leave: Field | None = None
    for reciprocal, start, extent in zip(reciprocals, origin, half, strict=True):
        one = reciprocal * np.float32(-extent - start)
        other = reciprocal * np.float32(extent - start)
        low, high = np.minimum(one, other), np.maximum(one, other)
        enter = low if enter is None else np.maximum(enter, low, out=enter)
        leave = high if leave is None else np.minimum(leave, high, out=leave)
    assert enter is not None and leave is not None
    return enter, leave


def _quadric(directions: list[Field], origin: tuple[float, ...], half: list[float]) -> Span:
    """Within the unit circle or sphere of space scaled by 1/half."""
    square = np.zeros_like(directions[0])
    mixed = np.zeros_like(directions[0])
    rest = -1.0
    for direction, start, extent in zip(directions, origin, half, strict=True):
        scaled = direction * np.float32(1 / extent)
        square += scaled * scaled
        mixed += scaled * np.float32(start / extent)
        rest += (start / extent) ** 2
    inside = mixed * mixed - square * np.float32(rest)
    root = np.sqrt(np.maximum(inside, 0))
    scale = np.float32(1) / square
    enter = np.where(inside > 0, (-mixed - root) * scale, np.float32(np.inf))
    return enter, (root - mixed) * scale


def _windows(rays: Rays, solids: Solids) -> list[Window | None]:
    """Per solid the rows and columns that it can touch; None where it lies outside the frame."""
    height, width = rays.x.shape
    reach = solids.half[:, None, :] * _CORNERS
    x = solids.cos[:, None] * reach[..., 0] - solids.sin[:, None] * reach[..., 1]
    y = solids.sin[:, None] * reach[..., 0] + solids.cos[:, None] * reach[..., 1]
    corners = np.stack([x, y, reach[..., 2]], axis=-1) + (solids.centre[:, None, :] - rays.origin)
    seen = corners @ rays.axes
    depth = seen[..., 2]
    ahead = np.maximum(depth, _NEAR)
    column = seen[..., 0] / ahead * rays.focal[0] + rays.principal[0]
    row = seen[..., 1] / ahead * rays.focal[1] + rays.principal[1]
    whole = depth.min(axis=1) < _NEAR
    hidden = depth.max(axis=1) < _NEAR
    left, right = (
        np.where(whole, bound, edge) for bound, edge in ((0, column.min(axis=1)), (width, column.max(axis=1)))
    )
    top, bottom = (np.where(whole, bound, edge) for bound, edge in ((0, row.min(axis=1)), (height, row.max(axis=1))))
    columns = np.stack([np.floor(left), np.ceil(right) + 1]).clip(0, width).astype(int)
    rows = np.stack([np.floor(top), np.ceil(bottom) + 1]).clip(0, height).astype(int)
    empty = hidden | (columns[0] >= columns[1]) | (rows[0] >= rows[1])
    return [
        None if skip else (slice(r0, r1), slice(c0, c1))
        for skip, r0, r1, c0, c1 in zip(empty.tolist(), *rows.tolist(), *columns.tolist(), strict=True)
    ]
