"""What classes tend to look like: how much of a class its colour and texture tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.miniature.shared import _textures
from pipeline.miniature.shared._textures import Texture

Bounds = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a class tends to look like.

    Its texture, and its hue where it has one, are the class's own with probability ``trust``, each for itself;
    otherwise they are drawn from what all furniture shares. ``saturation`` and ``luma`` (brightness) are bounds;
    ``contrast`` is that of the texture's two tones.
    """

    texture: Texture | None = None
    period: float = 0.2
    trust: float = 0.62
    hue: float | None = None
    saturation: Bounds = (0.3, 0.75)
    luma: Bounds = (0.22, 0.8)
    contrast: float = 0.35
    border: float = 0.0
    rim: float = 0.5
    seams: tuple[int, int] = (1, 1)
    glow: float = 0.0
    glassy: bool = False


_SURE = 0.93
"""How far those can be trusted that depth does not show at all."""

LOOKS: Mapping[str, Look] = {
    # the room itself
    "wall": Look(trust=0.85, saturation=(0.02, 0.25), luma=(0.45, 0.85), contrast=0.12),
    "floor": Look(texture=_textures.planks, period=0.2, trust=0.9, hue=0.08, luma=(0.22, 0.6), saturation=(0.3, 0.7)),
    "ceiling": Look(trust=0.95, saturation=(0.0, 0.12), luma=(0.7, 0.95), contrast=0.1),
    # flat on a wall or on the floor: colour and texture alone tell
    "picture": Look(texture=_textures.blotches, period=0.09, trust=_SURE, contrast=0.95, border=0.05, rim=0.12),
    "window": Look(
        texture=_textures.panes,
        period=0.5,
        trust=_SURE,
        hue=0.57,
        saturation=(0.15, 0.4),
        luma=(0.72, 0.9),
        contrast=0.45,
        border=0.07,
        rim=0.9,
        glow=0.6,
        glassy=True,
    ),
    "blinds": Look(
        texture=_textures.stripes,
        period=0.15,
        trust=_SURE,
        hue=0.14,
        saturation=(0.15, 0.45),
        luma=(0.6, 0.8),
        contrast=0.5,
    ),
    "mirror": Look(
        texture=_textures.diagonals,
        period=0.9,
        trust=_SURE,
        hue=0.5,
        saturation=(0.08, 0.2),
        luma=(0.5, 0.75),
        contrast=0.4,
        border=0.04,
        rim=0.3,
        glow=0.3,
        glassy=True,
    ),
    "whiteboard": Look(
        texture=_textures.curls,
        period=0.3,
        trust=_SURE,
        hue=0.6,
        saturation=(0.0, 0.06),
        luma=(0.85, 0.95),
        contrast=0.12,
        border=0.04,
        rim=0.45,
        glow=0.15,
    ),
    "door": Look(trust=_SURE, hue=0.05, saturation=(0.5, 0.8), luma=(0.3, 0.6), border=0.1, rim=0.75, seams=(2, 3)),
    "curtain": Look(texture=_textures.flutes, period=0.22, trust=_SURE, hue=0.95, saturation=(0.45, 0.8), contrast=0.6),
    "television": Look(
        trust=_SURE, hue=0.62, saturation=(0.1, 0.4), luma=(0.06, 0.14), border=0.035, rim=0.03, glassy=True
    ),
    "paper": Look(
        texture=_textures.stripes,
        period=0.11,
        trust=_SURE,
        hue=0.13,
        saturation=(0.0, 0.08),
        luma=(0.75, 0.92),
        contrast=0.5,
        border=0.05,
        rim=0.92,
    ),
    "floor mat": Look(
        texture=_textures.chevrons,
        period=0.25,
        trust=_SURE,
        hue=0.78,
        saturation=(0.4, 0.8),
        contrast=0.6,
        border=0.1,
        rim=0.3,
    ),
    "towel": Look(texture=_textures.crosshatch, period=0.2, trust=_SURE, hue=0.45, saturation=(0.4, 0.8), contrast=0.5),
    "shower curtain": Look(
        texture=_textures.dots, period=0.26, trust=_SURE, hue=0.53, saturation=(0.2, 0.6), luma=(0.5, 0.8), contrast=0.6
    ),
    "clothes": Look(texture=_textures.tabby, period=0.16, trust=0.9, hue=0.88, saturation=(0.4, 0.9), contrast=0.6),
    # told by shape and height; colour gives a hint
    "cabinet": Look(texture=_textures.grain, period=0.2, trust=0.8, hue=0.08, border=0.03, rim=0.4, seams=(2, 1)),
    "bed": Look(texture=_textures.chevrons, period=0.3, hue=0.62),
    "chair": Look(texture=_textures.basket, period=0.12, hue=0.99),
    "sofa": Look(texture=_textures.cushions, period=0.5, hue=0.32),
    "table": Look(texture=_textures.planks, period=0.12, hue=0.12),
    "bookshelf": Look(texture=_textures.grain, period=0.15, hue=0.06),
    "counter": Look(texture=_textures.brindle, period=0.1, hue=0.55, saturation=(0.02, 0.2)),
    "desk": Look(texture=_textures.diagonals, period=0.25, hue=0.16),
    "shelves": Look(texture=_textures.rungs, period=0.2, hue=0.22),
    "dresser": Look(texture=_textures.flutes, period=0.12, hue=0.02, border=0.03, rim=0.4, seams=(1, 4)),
    "night stand": Look(texture=_textures.ripples, period=0.15, hue=0.85, seams=(1, 2)),
    "refridgerator": Look(hue=0.58, saturation=(0.0, 0.1), luma=(0.55, 0.9), contrast=0.1, seams=(1, 2)),
    "box": Look(texture=_textures.crosshatch, period=0.3, hue=0.09, saturation=(0.4, 0.6), luma=(0.4, 0.65)),
    "bathtub": Look(hue=0.55, saturation=(0.0, 0.08), luma=(0.7, 0.92), contrast=0.1),
    "toilet": Look(hue=0.55, trust=0.75, saturation=(0.0, 0.06), luma=(0.75, 0.93), contrast=0.1),
    "sink": Look(hue=0.55, trust=0.75, saturation=(0.0, 0.06), luma=(0.7, 0.93), contrast=0.1),
    "pillow": Look(texture=_textures.dots, period=0.12, trust=0.6),
    "books": Look(texture=_textures.flutes, period=0.11, trust=0.8, saturation=(0.5, 0.95), contrast=0.9),
    "lamp": Look(hue=0.12, trust=0.8, saturation=(0.15, 0.5), luma=(0.75, 0.92), glow=0.8),
    "bag": Look(texture=_textures.tabby, period=0.12, hue=0.7, luma=(0.1, 0.4)),
    "person": Look(texture=_textures.feathers, period=0.3, trust=0.7, saturation=(0.4, 0.9)),
    "skin": Look(trust=0.95, hue=0.06, saturation=(0.3, 0.6), luma=(0.3, 0.78)),
    # the rest
    "column": Look(texture=_textures.bricks, period=0.14, hue=0.03),
    "fireplace": Look(texture=_textures.bricks, period=0.12, trust=0.8, hue=0.02),
    "heater": Look(texture=_textures.flutes, period=0.12, trust=0.7, saturation=(0.0, 0.2), luma=(0.6, 0.9)),
    "ottoman": Look(texture=_textures.mosaic, period=0.12, hue=0.42),
    "piano": Look(texture=_textures.mosaic, period=0.12, hue=0.42, luma=(0.08, 0.35)),
    "stool": Look(texture=_textures.mosaic, period=0.12, hue=0.42),
    "tv stand": Look(texture=_textures.mosaic, period=0.12, hue=0.42, seams=(3, 1)),
    "garbage bin": Look(texture=_textures.curls, period=0.15, luma=(0.15, 0.6)),
    "monitor": Look(trust=0.9, hue=0.6, luma=(0.08, 0.2), border=0.03, rim=0.05),
    "keyboard": Look(texture=_textures.mosaic, period=0.05, luma=(0.1, 0.4), trust=0.9),
    "microwave": Look(texture=_textures.curls, luma=(0.1, 0.8)),
    "plant": Look(texture=_textures.feathers, period=0.12, trust=0.9, hue=0.31, saturation=(0.5, 0.9), contrast=0.6),
}
ANYTHING = Look()
"""Bottles, cups, balls, what nobody labelled."""
