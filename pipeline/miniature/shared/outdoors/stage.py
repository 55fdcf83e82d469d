"""What painting changes: a canvas in colour and a map of class codes, in the light and the air of one hour."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.miniature.shared._backdrop import mottle
from pipeline.miniature.shared._shapes import Field
from pipeline.miniature.shared.outdoors.classes import CODE, THING
from pipeline.miniature.shared.outdoors.light import Light
from pipeline.miniature.shared.outdoors.view import Box, Real, View

Color = tuple[float, float, float]
"""Red, green, blue, 0–1, by daylight."""

TILE = 128  # texels of a noise tile, which repeats without a seam; a power of two


@dataclass(frozen=True, kw_only=True)
class Stage:
    """``canvas`` (S×S×3 float32, RGB 0–1), ``codes`` (S×S uint8), two noise tiles of standard deviation 1.

    ``fine`` is like sand, ``large`` like clouds; ``without`` names classes that may not occur.
    """

    rng: np.random.Generator
    view: View
    light: Light
    canvas: Field
    codes: NDArray[np.uint8]
    fine: Field
    large: Field
    without: frozenset[str]

    def lay(self, box: Box, edge: Real, color: Real, code: int | None) -> None:
        """Blend ``color`` over the pixels inside ``edge`` (signed pixels); None leaves their class."""
        canvas = self.canvas[box]
        cover = np.minimum(np.maximum(0.5 - edge, 0), 1)
        canvas += cover[..., None] * (color - canvas)
        if code is not None:
            self.codes[box][edge < 0] = code

    def air(self, color: Real, depth: Field | float) -> Field:
        """``color`` seen through ``depth`` metres of air."""
        if isinstance(depth, float):
            hidden = 1 - math.exp(-depth / self.light.sight)
            return np.asarray(color + hidden * (self.light.haze - color), np.float32)
        share = 1 - np.exp(depth * (-1 / self.light.sight))
        return np.asarray(color + share[..., None] * (self.light.haze - color), np.float32)

    def noise(self, tile: Field, u: Real, v: Real) -> Field:
        """A noise tile seen at texel (u, v), nearest."""
        row, column = (np.floor(at).astype(np.int32) & (TILE - 1) for at in (v, u))
        return np.asarray(tile[row, column], np.float32)

    def smooth(self, tile: Field, u: Real, v: Real) -> Field:
        """The same tile between its texels."""
        u, v = np.broadcast_arrays(u, v)
        left, top = np.floor(u), np.floor(v)
        right, down = u - left, v - top
        upper = self.noise(tile, left, top) * (1 - right) + self.noise(tile, left + 1, top) * right
        lower = self.noise(tile, left, top + 1) * (1 - right) + self.noise(tile, left + 1, top + 1) * right
        return np.asarray(upper + down * (lower - upper), np.float32)

    def code(self, name: str) -> int:
        """A class's code; rarely that of something nobody labelled."""
        return CODE[name] if self.rng.random() > 0.03 else THING

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def one_of(self, *colors: Color, spread: float = 0.14) -> Field:
        """A colour near one of those given."""
        return self.about(*colors[int(self.rng.integers(len(colors)))], spread)

    def about(self, red: float, green: float, blue: float, spread: float = 0.1) -> Field:
        """A colour near the given one in brightness and, less so, in hue, as the hour's light shows it."""
        drawn = self.rng.standard_normal(4, np.float32)
        shift = np.exp(spread * (drawn[0] + 0.5 * drawn[1:]))
        return np.asarray(np.array((red, green, blue), np.float32) * shift * self.light.sun, np.float32)


def empty(rng: np.random.Generator, view: View, light: Light, without: frozenset[str]) -> Stage:
    """A stage that nothing has been painted on."""
    fine, _ = mottle(rng, TILE, TILE, 0.5)
    large, _ = mottle(rng, TILE, TILE, 1.6)
    return Stage(
        rng=rng,
        view=view,
        light=light,
        canvas=np.zeros((view.side, view.side, 3), np.float32),
        codes=np.zeros((view.side, view.side), np.uint8),
        fine=fine,
        large=large,
        without=without,
    )
