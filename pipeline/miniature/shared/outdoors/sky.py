"""The sky from zenith to horizon: clouds in perspective, stars, sun, moon, and birds."""

from __future__ import annotations

import math

import numpy as np

from pipeline.miniature.shared._shapes import Field
from pipeline.miniature.shared.outdoors.classes import CODE
from pipeline.miniature.shared.outdoors.figures import BIRD, place
from pipeline.miniature.shared.outdoors.stage import Stage
from pipeline.miniature.shared.outdoors.view import Box, span


def sky(stage: Stage) -> None:
    """Fill the whole canvas with sky; what lies below the horizon is painted over it."""
    view, light, side = stage.view, stage.light, stage.view.side
    x, y = span(slice(0, side))[None, :], span(slice(0, side))[:, None]
    height = (view.horizon - y) / max(view.horizon, side / 3)
    share = (1 - height.clip(0, 1)) ** 1.6
    stage.canvas[:] = light.zenith + share[..., None] * (light.haze - light.zenith)
    stage.codes[:] = CODE["sky"]
    reach = 1 / np.maximum(height + 0.12, 0.1)  # how far off the cloud layer is met
    wide, long = stage.between(9, 16), stage.between(16, 30)
    u, v = (x / side - 0.5) * reach * wide * 3, reach * long
    mass = stage.noise(stage.large, u, v) + 0.35 * stage.noise(stage.large, 3 * u, 3 * v)
    cover = ((mass - light.clouds) * 1.1).clip(0, 1) * (height * 6).clip(0, 1) * 0.85
    lit = np.minimum(light.haze * 1.06 + (0.04 if light.hour == "night" else 0.1), 1)
    shaded = lit * 0.72
    thick = ((mass - light.clouds - 0.6) * 0.7).clip(0, 1)
    stage.canvas[:] += cover[..., None] * (lit + thick[..., None] * (shaded - lit) - stage.canvas)
    if light.hour == "night":
        stars = (stage.noise(stage.fine, x * 1.7, y * 1.9) > 2.9) & (height > 0.1) & (cover < 0.2)
        stage.canvas[stars] += 0.5


def sun(stage: Stage) -> float:
    """A low sun with its glow, labelled where the disc is; returns its column."""
    side = stage.view.side
    x = stage.between(0.12, 0.88) * side
    y = min(stage.view.horizon, side) * stage.between(0.2, 0.85)
    radius = side * stage.between(0.045, 0.08)
    color = np.array((1.0, 0.95, 0.78), np.float32)
    away = _away(stage, x, y)
    glow = np.exp(-away / (4.5 * radius)) * 0.75
    stage.canvas[:] += glow[..., None] * (color - stage.canvas)
    stage.lay(_everywhere(stage), away - radius, color, CODE["sun"])
    return x


def moon(stage: Stage) -> None:
    """A pale disc with seas, sometimes a crescent."""
    side = stage.view.side
    x, y = stage.between(0.12, 0.88) * side, min(stage.view.horizon, side) * stage.between(0.12, 0.6)
    radius = side * stage.between(0.04, 0.075)
    box, away = _around(stage, x, y, radius)
    edge = away - radius
    if stage.chance(0.4):
        turn = stage.between(-0.9, 0.9)
        shadow = _away(stage, x + math.cos(turn) * radius * 0.8, y + math.sin(turn) * radius * 0.8)[box]
        edge = np.maximum(edge, radius - shadow)
    column, row = stage.view.texels(box)
    seas = stage.noise(stage.large, column * 2.5, row * 2.5)
    color = (0.93 - 0.07 * seas.clip(-1, 2))[..., None] * np.array((1.0, 0.98, 0.90), np.float32)
    if stage.light.hour == "night":
        stage.canvas[:] += (0.3 * np.exp(-_away(stage, x, y) / (5 * radius)))[..., None] * 0.6
    stage.lay(box, edge, color, CODE["moon"])


def birds(stage: Stage) -> None:
    """A small flock, dark or white, wings at any beat."""
    side = stage.view.side
    top = min(stage.view.horizon, side)
    x, y = stage.between(0.15, 0.85) * side, top * stage.between(0.15, 0.8)
    size = side * stage.between(0.1, 0.2)
    tone = stage.about(0.15, 0.15, 0.17) if stage.chance(0.6) else stage.about(0.92, 0.92, 0.92)
    code = stage.code("bird")
    for _ in range(int(stage.rng.integers(1, 5))):
        dx, dy = stage.rng.normal(0, 0.13 * side, 2)
        width = size * stage.between(0.7, 1.3)
        colors = {"body": tone}
        place(stage, BIRD, colors, (x + float(dx), y + float(dy)), (width, width * stage.between(0.3, 0.55)), code)


def _everywhere(stage: Stage) -> Box:
    return slice(0, stage.view.side), slice(0, stage.view.side)


def _away(stage: Stage, x: float, y: float) -> Field:
    """Pixels from a point, everywhere."""
    step = span(slice(0, stage.view.side))
    return np.asarray(np.hypot(step[None, :] - x, step[:, None] - y), np.float32)


def _around(stage: Stage, x: float, y: float, radius: float) -> tuple[Box, Field]:
    """The box that a disc touches, and pixels from its centre there."""
    side = stage.view.side
    rows, columns = (
        slice(max(0, math.floor(at - radius) - 2), max(0, min(side, math.ceil(at + radius) + 3))) for at in (y, x)
    )
    return (rows, columns), _away(stage, x, y)[rows, columns]
