"""Land that rises above the horizon: mountain ranges in haze, far woods, and any skyline."""

from __future__ import annotations

import math

import numpy as np

from pipeline.miniature.shared import _textures
from pipeline.miniature.shared._shapes import Field
from pipeline.miniature.shared.outdoors.classes import CODE
from pipeline.miniature.shared.outdoors.stage import Stage
from pipeline.miniature.shared.outdoors.view import Box, Real, span


def profile(stage: Stage, waves: float, octaves: int, sharpness: float = 0.5) -> Field:
    """A skyline of peaks: one height for each column, about 0–1; ``waves`` is how many of the largest there are."""
    x = np.arange(stage.view.side, dtype=np.float32) / stage.view.side
    octave = np.arange(octaves, dtype=np.float32)[:, None]
    frequency = waves * np.exp2(octave) * stage.rng.uniform(0.8, 1.25, (octaves, 1)).astype(np.float32)
    phase = stage.rng.uniform(0, 2 * math.pi, (octaves, 1)).astype(np.float32)
    wave = np.sin(2 * math.pi * frequency * x + phase)
    peaked = np.arcsin(wave) * (2 / math.pi)  # straight slopes between sharp tops
    total = (np.exp2(-octave) * (wave + sharpness * (peaked - wave))).sum(axis=0)
    return np.asarray(0.5 + 0.27 * total, np.float32)


def above(stage: Stage, top: Real, deepest: float) -> tuple[Box, Field, Field]:
    """The box from a skyline (a row for each column) down to ``deepest``; signed pixels; pixels below the skyline."""
    side = stage.view.side
    bottom = max(0, min(side, math.ceil(deepest) + 1))
    first = min(bottom, max(0, math.floor(float(top.min())) - 1))
    box = (slice(first, bottom), slice(0, side))
    below = span(box[0])[:, None] - top[None, :]
    slope = np.sqrt(1 + np.gradient(top) ** 2)
    return box, np.asarray(-below / slope[None, :], np.float32), np.asarray(below, np.float32)


def mountains(stage: Stage, peak: float, layers: int, lean: float = 0.0) -> None:
    """Ranges one before the other, the farthest highest and palest; ``peak`` is a share of the image's side.

    ``lean`` ≠ 0 lets them fall towards one side until they are gone: a headland.
    """
    view, rng = stage.view, stage.rng
    rock = stage.about(0.40, 0.38, 0.38, 0.15)
    green = stage.about(0.24, 0.34, 0.20, 0.15)
    snowy = stage.chance(0.45)
    tilt = np.linspace(-1, 1, view.side, dtype=np.float32) * lean
    for layer in range(layers):
        near = (layer + 1) / layers
        rise = peak * view.side * (1 - 0.62 * layer / layers)
        height = rise * (0.25 + profile(stage, stage.between(1.0, 2.2), 6, 0.9) + tilt)
        box, edge, below = above(stage, view.horizon - height, view.horizon + 1)
        column, row = view.texels(box)
        u = column * 1.6 + rng.uniform(0, 999)
        v = (row + below * (0.7 / view.pixel)) * 0.9
        slope = stage.noise(stage.large, u + 2.5, v) - stage.noise(stage.large, u, v)
        high = 1 - below / np.maximum(height, 1)[None, :]
        wooded = (near * 1.25 - 1.1 * high + 0.25 * stage.noise(stage.large, u, v)).clip(0, 1)
        color = rock + wooded[..., None] * (green - rock)
        if snowy and layer < 2:
            white = ((high - 0.62) * 5 + 0.8 * stage.noise(stage.large, u, v + 40)).clip(0, 1)
            color = color + white[..., None] * (stage.light.sun * 0.95 - color)
        color = color * (1 + 0.75 * slope.clip(-0.9, 0.9))[..., None]
        away = (1.22 - 1.1 * near) * stage.light.sight
        stage.lay(box, edge, stage.air(color, away), CODE["mountain"])


def woods(stage: Stage, rise: float, distance: float) -> None:
    """A far edge of trees along the horizon; ``rise`` is a share of the image's side, ``distance`` metres."""
    view = stage.view
    bumps = profile(stage, stage.between(0.7, 2.0), 7, -0.6)
    height = rise * view.side * (0.35 + 0.8 * bumps)
    box, edge, _ = above(stage, view.horizon - height, view.horizon + 1.5)
    column, row = view.texels(box)
    tone = 0.55 * _textures.mosaic(column * 1.5 + 300, row * 1.5)
    tone = tone + 0.25 * stage.noise(stage.large, column * 3, row * 4)
    color = stage.about(0.16, 0.27, 0.12, 0.16) * (0.65 + 0.7 * tone)[..., None]
    stage.lay(box, edge, stage.air(color, distance), CODE["tree"])
