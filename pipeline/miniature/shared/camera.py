"""A pinhole camera, and what it adds to a picture: light that falls off, a soft lens, sensor noise, and JPEG."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

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
    return (
        (cos * a[0] + sin * b[0], cos * a[1] + sin * b[1], cos * a[2] + sin * b[2]),
        (cos * b[0] - sin * a[0], cos * b[1] - sin * a[1], cos * b[2] - sin * a[2]),
    )


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
        return ((np.arange(self.width, dtype=np.float64) + 0.5 - self.cx) / self.focal)[None, :]

    @cached_property
    def v(self) -> Field:
        """H×1: how far down."""
        return ((np.arange(self.height, dtype=np.float64) + 0.5 - self.cy) / self.focal)[:, None]

    def window(self, centre: Vector, spans: Sequence[Vector]) -> tuple[slice, slice]:
        """Rows and columns that hold a box, given by three half edges; the whole image where it comes too near."""
        points = (minus(centre, self.eye), *spans)
        across, down, deep = ([inner(p, axis) for p in points] for axis in (self.right, self.down, self.forward))
        columns, rows = [], []
        for i, j, k in product((-1, 1), repeat=3):
            depth = deep[0] + i * deep[1] + j * deep[2] + k * deep[3]
            if depth <= NEAR:
                return slice(0, self.height), slice(0, self.width)
            scale = self.focal / depth
            columns.append(self.cx + scale * (across[0] + i * across[1] + j * across[2] + k * across[3]))
            rows.append(self.cy + scale * (down[0] + i * down[1] + j * down[2] + k * down[3]))
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
