"""How surfaces look: each room has a taste of its own, and each class a look that it mostly keeps to."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from pipeline.miniature.shared import _textures
from pipeline.miniature.shared._textures import Texture
from pipeline.miniature.shared.rooms.looks import ANYTHING, LOOKS, Bounds

Color = tuple[float, float, float]

TEXTURES: tuple[Texture | None, ...] = (
    None,
    *(_textures.stripes, _textures.flutes, _textures.diagonals, _textures.planks, _textures.rungs, _textures.panes),
    *(_textures.dots, _textures.tabby, _textures.brindle, _textures.blotches, _textures.basket, _textures.grain),
    *(_textures.crosshatch, _textures.chevrons, _textures.mosaic, _textures.curls, _textures.cushions),
    *(_textures.bricks, _textures.ripples, _textures.feathers),
)
"""What covers a surface; None is one tone."""

_NUMBER: dict[Texture | None, int] = {texture: number for number, texture in enumerate(TEXTURES)}


@dataclass(frozen=True, slots=True)
class Finish:
    """One surface: ``TEXTURES[texture]`` of ``period`` metres between two colours (RGB 0–1).

    A ``border`` (metres) of colour ``rim`` runs round each face; ``seams`` part it into (columns, rows). ``glow`` is
    the share of light that the surface gives off itself; ``glassy`` ones a Kinect sees poorly.
    """

    texture: int
    period: float
    colors: tuple[Color, Color]
    border: float
    rim: Color
    seams: tuple[int, int]
    glow: float
    glassy: bool


_SHARED = tuple(
    (_NUMBER[texture], period)
    for texture, period in (
        *((None, 0.2),) * 4,
        *((_textures.grain, 0.2), (_textures.planks, 0.2), (_textures.flutes, 0.2), (_textures.stripes, 0.25)),
        *((_textures.brindle, 0.12), (_textures.blotches, 0.12), (_textures.crosshatch, 0.25)),
    )
)
"""Textures and periods that any piece of furniture may have."""


class Decor:
    """One room's taste: six colours that its walls, floor and furniture share, and how each thing is finished."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._palette = [
            (float(hue), 0.05 + 0.6 * float(strength) ** 1.5)
            for hue, strength in zip(rng.random(6), rng.random(6), strict=True)
        ]

    def finish(self, name: str) -> Finish:
        """Draw the finish of a thing of this raw name."""
        look = LOOKS.get(name, ANYTHING)
        own, own_hue, texture, hue, saturation, luma, spread, swap = self._rng.random(8).tolist()
        number, period = _SHARED[int(texture * len(_SHARED))]
        if own < look.trust:
            number, period = _NUMBER[look.texture], look.period
        tint, strength = self._palette[int(hue * len(self._palette))]
        strength = min(max(strength, look.saturation[0]), look.saturation[1])
        if look.hue is not None and own_hue < look.trust:
            tint, strength = look.hue + 0.05 * (hue - 0.5), _between(look.saturation, saturation)
        brightness = _between(look.luma, luma)
        swing = look.contrast * (0.8 + 0.4 * spread) / 2
        dark, light = (_color(tint, strength, min(0.97, brightness * (1 + side * swing))) for side in (-1, 1))
        return Finish(
            texture=number,
            period=period * (0.85 + 0.3 * spread),
            colors=(dark, light) if swap < 0.5 else (light, dark),
            border=look.border,
            rim=_color(tint, 0.3 * strength, look.rim),
            seams=look.seams if own < look.trust + 0.2 else (1, 1),
            glow=look.glow,
            glassy=look.glassy,
        )


def _between(bounds: Bounds, share: float) -> float:
    return bounds[0] + share * (bounds[1] - bounds[0])


def _color(hue: float, saturation: float, luma: float) -> Color:
    """A colour (RGB 0–1) of the given brightness; where the hue cannot be so bright it fades."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, 1)
    bright = 0.299 * red + 0.587 * green + 0.114 * blue  # ITU-R BT.601
    red, green, blue = (luma / bright * channel for channel in (red, green, blue))
    excess = max(red, green, blue) - 1
    if excess > 0:
        fade = excess / (excess + 1 - luma)
        red, green, blue = (channel + fade * (luma - channel) for channel in (red, green, blue))
    return red, green, blue
