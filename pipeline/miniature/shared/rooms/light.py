"""How brightly a room is lit: light from all around, less of it in corners, and one lamp with soft shadows."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from pipeline.miniature.shared._shapes import Field
from pipeline.miniature.shared.rooms.cast_rays import Hits
from pipeline.miniature.shared.rooms.solids import BOX, SHELL, Point, Solids
from pipeline.miniature.shared.rooms.surfaces import Surface

_FLAT = 0.06  # metres: thinner solids throw no shadow worth drawing
_CASTERS = 14  # the largest solids, which throw the shadows


def light(surface: Surface, hits: Hits, solids: Solids, size: Point, lamp: Point) -> Field:
    """How bright each pixel's surface is lit (N float32, about 0.3–1.3) in a room of ``size`` with a ``lamp``."""
    to_lamp = [np.float32(lamp[axis]) - surface.point[axis] for axis in range(3)]
    square = to_lamp[0] ** 2 + to_lamp[1] ** 2 + to_lamp[2] ** 2
    facing = sum(n * t for n, t in zip(surface.normal, to_lamp, strict=True)) / np.sqrt(square)
    direct = np.maximum(facing, 0) / (1 + square / 14)
    lit = _lit(surface, hits, solids, lamp)
    ambient = np.float32(0.52) + np.float32(0.08) * surface.normal[2] + np.float32(0.06) * surface.normal[1]
    for axis in range(3):
        upright = 1 - np.abs(surface.normal[axis])
        nearest = np.minimum(surface.point[axis], np.float32(size[axis]) - surface.point[axis])
        ambient = ambient * (1 - np.float32(0.3) * upright * np.exp(-nearest / np.float32(0.22)))
    return np.asarray(ambient + np.float32(0.85) * direct * lit, np.float32)


def _lit(surface: Surface, hits: Hits, solids: Solids, lamp: Point) -> Field:
    """The share of the lamp that each pixel sees (N), worked out on a grid of 80 columns at 160 and of 160 at 640."""
    height, width = hits.solid.shape
    step = max(1, math.isqrt(width // 40))
    grid = (slice(step // 2, None, step), slice(step // 2, None, step))
    point = [axis.reshape(height, width)[grid].ravel() for axis in surface.point]
    normal = [axis.reshape(height, width)[grid].ravel() for axis in surface.normal]
    start = [p + np.float32(0.02) * n for p, n in zip(point, normal, strict=True)]
    ray = [np.float32(lamp[axis]) - start[axis] for axis in range(3)]
    blocked = np.zeros(point[0].shape, np.bool_)
    volume = solids.half.prod(axis=1)
    flat = solids.half.min(axis=1) < _FLAT / 2
    big = [k for k in np.argsort(-volume, kind="stable").tolist() if k >= SHELL and not flat[k]]
    for k in big[:_CASTERS]:
        blocked |= _crosses(start, ray, solids, k)
    rows, columns = len(range(height)[grid[0]]), len(range(width)[grid[1]])
    seen = 1 - blocked.reshape(rows, columns).astype(np.float32)
    soft = zoom(seen, (height / rows, width / columns), order=1, grid_mode=True, mode="nearest")
    return np.asarray(soft.ravel(), np.float32)


def _crosses(start: list[Field], ray: list[Field], solids: Solids, k: int) -> NDArray[np.bool_]:
    """Which segments from ``start`` along ``ray`` pass through solid k (a round one as a box of 0.8 its size)."""
    cos, sin = solids.cos[k], solids.sin[k]
    x, y, z = (start[axis] - solids.centre[k, axis] for axis in range(3))
    dx, dy, dz = ray
    if sin != 0:
        x, y, dx, dy = cos * x + sin * y, cos * y - sin * x, cos * dx + sin * dy, cos * dy - sin * dx
    shrink = np.float32(1 if solids.shape[k] == BOX else 0.8)
    enter, leave = np.zeros_like(x), np.ones_like(x)
    for place, direction, half in zip((x, y, z), (dx, dy, dz), solids.half[k], strict=True):
        reciprocal = 1 / np.where(direction == 0, np.float32(1e-9), direction)
        one, other = (-half * shrink - place) * reciprocal, (half * shrink - place) * reciprocal
        np.maximum(enter, np.minimum(one, other), out=enter)
        np.minimum(leave, np.maximum(one, other), out=leave)
    return np.asarray(enter < leave)
