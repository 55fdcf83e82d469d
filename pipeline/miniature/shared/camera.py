"""A pinhole camera, and what it adds to a picture: light that falls off, a soft lens, sensor noise, and JPEG."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.miniature.shared.chance import Chance, Field

Vector = tuple[float, float, float]
"""x right, y forward, z up; metres where it is a place."""

NEAR = 0.05  # metres: what is nearer is not seen
RIGHT, FORWARD, DOWN = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)


def inner(a: Vector, b: Vector) -> float:
    """The scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def minus(a: Vector, b: Vector) -> Vector:
    """The difference."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def turned(a: Vector, b: Vector, by: tuple[float, float]) -> tuple[Vector, Vector]:
    """Two axes turned in their plane by an angle's (cosine, sine), ``a`` towards ``b``."""
    cos, sin = by
    new = tuple(cos * p + sin * q for p, q in zip(a, b, strict=True))
    other = tuple(cos * q - sin * p for p, q in zip(a, b, strict=True))
    return (new[0], new[1], new[2]), (other[0], other[1], other[2])


@dataclass(frozen=True, kw_only=True)
class Camera:
    """Where it stands, which way its three axes point, and its image: ``height`` × ``width``, focal length in pixels.

    ``cx`` and ``cy`` are where the axis meets the image, in pixels from its upper left corner.
    """

    height: int
    width: int
    focal: float
    cx: float
    cy: float
    eye: Vector
    right: Vector = RIGHT
    down: Vector = DOWN
    forward: Vector = FORWARD

    @cached_property
    def u(self) -> Field:
        """1×W: how far to the right a pixel's ray goes for one metre forward."""
        return ((np.arange(self.width) + 0.5 - self.cx) / self.focal)[None, :]

    @cached_property
    def v(self) -> Field:
        """H×1: how far down."""
        return ((np.arange(self.height) + 0.5 - self.cy) / self.focal)[:, None]

    def place(self, point: Vector) -> tuple[float, float, float]:
        """Column, row and depth of a point; column and row mean nothing where depth is below ``NEAR``."""
        away = minus(point, self.eye)
        depth = inner(away, self.forward)
        scale = self.focal / depth if depth > NEAR else 0.0
        return self.cx + scale * inner(away, self.right), self.cy + scale * inner(away, self.down), depth

    def window(self, points: Iterable[Vector]) -> tuple[slice, slice]:
        """Rows and columns that hold all of ``points`` and what lies between; the whole image if one is too near."""
        placed = [self.place(point) for point in points]
        if min(depth for _, _, depth in placed) <= NEAR:
            return slice(0, self.height), slice(0, self.width)
        columns, rows = [column for column, _, _ in placed], [row for _, row, _ in placed]
        return _span(rows, self.height), _span(columns, self.width)


def _span(edges: list[float], length: int) -> slice:
    first, last = min(edges), max(edges)
    return slice(max(0, min(length, int(first) - 1)), max(0, min(length, int(last) + 2)))


def photograph(chance: Chance, canvas: Field, noise: float = 0.02) -> NDArray[np.uint8]:
    """Expose an H×W×3 canvas (RGB 0–1) to an H×W×3 uint8 image; ``noise`` is its greatest standard deviation."""
    height, width = canvas.shape[:2]
    fall = chance.between(-0.15, 0.15), chance.between(-0.15, 0.15)
    x = np.linspace(-1, 1, width)[None, :]
    y = np.linspace(-1, 1, height)[:, None]
    light = chance.between(0.85, 1.1) * (1 + fall[0] * x + fall[1] * y)
    image = soften(canvas, chance.between(0.05, 0.22)) * light[..., None]
    image += chance.normal(*canvas.shape) * chance.between(0.3 * noise, noise)
    return np.asarray((image * 255 + 0.5).clip(0, 255).astype(np.uint8))


def soften(image: Field, share: float) -> Field:
    """Give ``share`` of each pixel to either neighbour, down and then across; edges keep what would leave."""
    for axis in (0, 1):
        first, last = (image.take([place], axis=axis) for place in (0, -1))
        padded = np.concatenate([first, image, last], axis=axis)
        before = padded[:-2] if axis == 0 else padded[:, :-2]
        after = padded[2:] if axis == 0 else padded[:, 2:]
        image = image * (1 - 2 * share) + share * (before + after)
    return image


def jpeg(image: NDArray[np.uint8]) -> bytes:
    """An H×W×3 uint8 image as a baseline JPEG of quality 92, colour at full resolution."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=92, subsampling=0, optimize=False, progressive=False)
    return file.getvalue()
