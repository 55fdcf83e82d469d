"""A pinhole camera over flat ground: where metres land in the image, and metres for every pixel of a surface."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.miniature.shared._shapes import Field

Real = NDArray[np.floating[Any]]
"""What arithmetic makes of fields; float32 all the same."""

Box = tuple[slice, slice]
"""Rows and columns of an image."""


@dataclass(frozen=True, kw_only=True)
class Plane:
    """A flat surface as seen in a box of pixels.

    ``u`` and ``v`` are metres along the surface's two directions, ``du`` and ``dv`` the metres that one pixel spans
    there, ``depth`` metres from the camera; each broadcasts to the box.
    """

    box: Box
    u: Field
    v: Field
    du: Field
    dv: Field
    depth: Field

    def edge(self, u0: float, u1: float, v0: float, v1: float) -> Field:
        """Signed pixels from a rectangle's edge, negative inside (H×W)."""
        across = (np.abs(self.u - ((u0 + u1) / 2)) - ((u1 - u0) / 2)) / self.du
        along = (np.abs(self.v - ((v0 + v1) / 2)) - ((v1 - v0) / 2)) / self.dv
        return np.asarray(np.maximum(across, along), np.float32)


Face = Callable[[float, float, float, float], Plane]
"""An upright surface, cropped to a rectangle in its own metres: ``face(u0, u1, v0, v1)``, v the height above ground."""


@dataclass(frozen=True, kw_only=True)
class View:
    """``horizon`` is a row, ``vanish`` the column straight ahead, ``focal`` pixels, ``eye`` metres above the ground."""

    side: int
    horizon: float
    vanish: float
    focal: float
    eye: float

    @property
    def pixel(self) -> float:
        """Pixels of this image per pixel of an image of 128."""
        return self.side / 128

    def scale(self, depth: float) -> float:
        """Pixels per metre at ``depth`` metres."""
        return self.focal / depth

    def texels(self, box: Box) -> tuple[Field, Field]:
        """Column (1×W) and row (H×1) of each pixel, in an image of 128's pixels: what textures are sized in."""
        return span(box[1])[None, :] / self.pixel, span(box[0])[:, None] / self.pixel

    def spot(self, x: float, depth: float) -> tuple[float, float]:
        """Column and row of a point of the ground ``x`` metres to the right."""
        scale = self.scale(depth)
        return self.vanish + x * scale, self.horizon + self.eye * scale

    def depth(self, share: float) -> float:
        """Metres to the ground at ``share`` of the way from the horizon to the image's lower edge."""
        return self.eye * self.focal / (share * (self.side - self.horizon))

    def ground(self, far: float = math.inf) -> Plane:
        """The ground from the horizon, or from ``far`` metres ahead, down: u metres to the right, v metres ahead."""
        top = min(self.side, max(0, math.floor(self.horizon + self.eye * self.scale(far)) + 1))
        box = (slice(top, self.side), slice(0, self.side))
        rows, columns = span(box[0])[:, None], span(box[1])[None, :]
        depth = self.eye * self.focal / np.maximum(rows - self.horizon, 0.3)
        return Plane(
            box=box,
            u=(columns - self.vanish) * depth / self.focal,
            v=depth,
            du=depth / self.focal,
            dv=depth * depth / (self.focal * self.eye),
            depth=depth,
        )

    def front(self, depth: float) -> Face:
        """A wall across the view: u metres to the right of straight ahead."""

        def crop(u0: float, u1: float, v0: float, v1: float) -> Plane:
            scale = self.scale(depth)
            rows = self._span(self.horizon + (self.eye - v1) * scale, self.horizon + (self.eye - v0) * scale)
            columns = self._span(self.vanish + u0 * scale, self.vanish + u1 * scale)
            step = np.full((1, 1), 1 / scale, np.float32)
            return Plane(
                box=(rows, columns),
                u=(span(columns)[None, :] - self.vanish) / scale,
                v=self.eye - (span(rows)[:, None] - self.horizon) / scale,
                du=step,
                dv=step,
                depth=np.full((1, 1), depth, np.float32),
            )

        return crop

    def wall(self, x: float) -> Face:
        """A wall along the view, ``x`` ≠ 0 metres to the right: u metres ahead, positive."""

        def crop(u0: float, u1: float, v0: float, v1: float) -> Plane:
            ends = [self.vanish + x * self.scale(u) for u in (u0, u1)]
            columns = self._span(min(ends), max(ends))
            run = np.maximum((span(columns)[None, :] - self.vanish) * math.copysign(1, x), 0.5)
            depth = (self.focal * abs(x)) / run
            near = max(u0, float(depth.min(initial=u1)))
            heights = [self.horizon + (self.eye - v) * self.scale(u) for v in (v0, v1) for u in (near, u1)]
            rows = self._span(min(heights), max(heights))
            return Plane(
                box=(rows, columns),
                u=depth,
                v=self.eye - (span(rows)[:, None] - self.horizon) * depth / self.focal,
                du=depth * depth / (self.focal * abs(x)),
                dv=depth / self.focal,
                depth=depth,
            )

        return crop

    def _span(self, low: float, high: float) -> slice:
        """The pixels between two places and one beyond each, inside the image; empty if there are none."""
        start = min(max(math.floor(low) - 1, 0), self.side)
        return slice(start, max(start, min(math.ceil(high) + 2, self.side)))


def span(pixels: slice) -> Field:
    """The places of a row's or a column's pixels."""
    return np.arange(pixels.start, pixels.stop, dtype=np.float32)
