"""The ground: fields, meadows, sand, roads with their markings, pavements, and land that rolls up to the horizon."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pipeline.miniature.shared import _textures
from pipeline.miniature.shared._shapes import Field
from pipeline.miniature.shared.outdoors.classes import CODE
from pipeline.miniature.shared.outdoors.relief import above, profile
from pipeline.miniature.shared.outdoors.stage import Stage
from pipeline.miniature.shared.outdoors.view import Plane, Real

_INSIDE = -9  # pixels, for what has no edge
_GROUNDS = {
    "grass": (0.30, 0.42, 0.17),
    "field": (0.58, 0.54, 0.28),
    "desert": (0.74, 0.58, 0.38),
    "sand": (0.78, 0.70, 0.55),
    "road": (0.34, 0.34, 0.35),
    "sidewalk": (0.58, 0.56, 0.53),
    "crosswalk": (0.36, 0.36, 0.37),
}


def cover(stage: Stage, kind: str, far: float = math.inf) -> None:
    """All ground below the horizon as one kind, or that nearer than about ``far`` metres."""
    plane = stage.view.ground()
    edge: Real = np.full(plane.u.shape, _INSIDE, np.float32)
    if far < math.inf:
        ragged = far * (1 + 0.12 * stage.noise(stage.large, plane.u * 2, plane.v))
        edge = (plane.v - ragged) / plane.dv
    region(stage, plane, edge, kind)


def region(stage: Stage, plane: Plane, edge: Real, kind: str) -> None:
    """The part of the ground inside ``edge`` (signed pixels) as one kind, with the texture it has."""
    tone = _TONES[kind](stage, plane)
    color = _color(stage, kind) * tone[..., None]
    if kind == "grass" and stage.chance(0.3):  # in flower
        petals = stage.noise(stage.fine, plane.u * 9, plane.v * 5) > 1.9
        color = np.where(petals[..., None], stage.about(0.85, 0.75, 0.35, 0.3), color)
    hazy = np.minimum(plane.depth, 0.45 * stage.light.sight)  # the horizon stays a line
    stage.lay(plane.box, edge, stage.air(color, hazy), CODE[kind])


def hills(stage: Stage, rise: float, layers: int, kinds: tuple[str, ...]) -> None:
    """Rolling land in soft layers, each a field, a meadow or dunes, in furrows that follow the slope."""
    view = stage.view
    for layer in range(layers):
        kind = str(stage.rng.choice(kinds))
        near = (layer + 1) / layers
        height = rise * view.side * (1.05 - near * 0.75) * (0.15 + profile(stage, stage.between(0.5, 1.3), 2, 0.0))
        box, edge, below = above(stage, view.horizon - height, view.horizon + 2)
        column, down = view.texels(box)[0], below / view.pixel
        tone = 0.5 + 0.18 * stage.noise(stage.fine if kind == "grass" else stage.large, column * 2.4, down * 5.3)
        color = _color(stage, kind)
        if kind == "field":
            furrow = down * 1.6 + column * stage.between(-0.6, 0.6)
            tone = tone + 0.3 * (_textures.stripes(furrow, furrow) - 0.5)
        color = color * (0.55 + 0.9 * tone)[..., None]
        stage.lay(box, edge, stage.air(color, (0.65 - 0.55 * near) * stage.light.sight), CODE[kind])


def _color(stage: Stage, kind: str) -> Field:
    """A ground's own colour in this light; fields may stand green or be ploughed."""
    red, green, blue = _GROUNDS[kind]
    if kind == "field":
        turn = stage.rng.random()
        if turn < 0.35:
            red, green, blue = 0.38, 0.46, 0.20
        elif turn < 0.55:
            red, green, blue = 0.42, 0.32, 0.23
    elif kind == "grass" and stage.chance(0.25):
        red, green, blue = 0.50, 0.47, 0.26
    return stage.about(red, green, blue, 0.14)


def _fading(period: float, step: Field) -> Field:
    """How much of a pattern of ``period`` metres is left where a pixel spans ``step`` metres."""
    return np.asarray(1 / (1 + (2.2 * step / period) ** 2), np.float32)


def _patches(stage: Stage, plane: Plane, size: float) -> Field:
    return stage.noise(stage.large, plane.u / size, plane.v / (2.5 * size))


def _grass(stage: Stage, plane: Plane) -> Field:
    blades = stage.noise(stage.fine, plane.u * 28, plane.v * 9)
    return np.asarray(
        0.98 + 0.24 * blades * _fading(0.12, plane.du) + 0.1 * blades + 0.1 * _patches(stage, plane, 0.5), np.float32
    )


def _field(stage: Stage, plane: Plane) -> Field:
    turn, period = stage.between(-0.9, 0.9), stage.between(0.7, 2.0)
    along = math.cos(turn) * plane.u + math.sin(turn) * plane.v
    rows = np.sin(along * (2 * math.pi / period))
    step = abs(math.cos(turn)) * plane.du + abs(math.sin(turn)) * plane.dv
    crop = 0.16 * stage.noise(stage.fine, plane.u * 12, plane.v * 7)
    return np.asarray(
        0.96 + 0.34 * rows * _fading(period, step) + crop + 0.07 * _patches(stage, plane, 0.6), np.float32
    )


def _sand(stage: Stage, plane: Plane) -> Field:
    grains = stage.noise(stage.fine, plane.u * 40, plane.v * 20)
    return np.asarray(0.98 + 0.05 * grains + 0.07 * _patches(stage, plane, 0.25), np.float32)


def _desert(stage: Stage, plane: Plane) -> Field:
    period = stage.between(0.5, 1.1)
    bend = 1.6 * stage.noise(stage.large, plane.u * 2, plane.v * 1.0)
    waves = np.sin(plane.v * (2 * math.pi / period) + plane.u * 0.8 + bend)
    return np.asarray(0.95 + 0.16 * waves * _fading(period, plane.dv) + 0.1 * _patches(stage, plane, 0.3), np.float32)


def _road(stage: Stage, plane: Plane) -> Field:
    grit = stage.noise(stage.fine, plane.u * 25, plane.v * 12)
    return np.asarray(0.98 + 0.06 * grit + 0.06 * _patches(stage, plane, 0.3), np.float32)


def _sidewalk(stage: Stage, plane: Plane) -> Field:
    size = stage.between(0.7, 1.6)
    across = np.abs((plane.u / size) % 1 - 0.5) > 0.46
    along = np.abs((plane.v / size) % 1 - 0.5) > 0.46
    joints = across * _fading(size * 0.6, plane.du) + along * _fading(size * 0.6, plane.dv)
    return np.asarray(1.0 - 0.3 * np.minimum(joints, 1) + 0.05 * _patches(stage, plane, 0.2), np.float32)


def _crosswalk(stage: Stage, plane: Plane) -> Field:
    bars = np.sin(plane.u * (2 * math.pi / 1.1))
    return np.asarray(1.6 + (2.5 * bars).clip(-1, 1) * 0.7 * _fading(0.6, plane.du), np.float32)


_TONES: dict[str, Callable[[Stage, Plane], Field]] = {
    "grass": _grass,
    "field": _field,
    "desert": _desert,
    "sand": _sand,
    "road": _road,
    "sidewalk": _sidewalk,
    "crosswalk": _crosswalk,
}


def road(
    stage: Stage, middle: float, half: float, bend: float, *, lanes: int, kerb: float, far: float = math.inf
) -> None:
    """A road ahead, ``half`` metres to either side of ``middle``, with ``kerb`` metres of pavement; ``bend`` in 1/m."""
    plane = stage.view.ground(far)
    across = plane.u - middle - bend * plane.v * plane.v
    if kerb:
        region(stage, plane, (np.abs(across) - (half + kerb)) / plane.du, "sidewalk")
        gutter = np.abs(np.abs(across) - (half + 0.1)) / plane.du - 0.6
        stage.lay(plane.box, gutter, stage.air(stage.about(0.7, 0.69, 0.66), plane.depth), None)
    region(stage, plane, (np.abs(across) - half) / plane.du, "road")
    paint = stage.about(0.86, 0.84, 0.72) if stage.chance(0.7) else stage.about(0.85, 0.70, 0.25)
    for lane in range(1, lanes):
        line = -half + 2 * half * lane / lanes
        stripe = (np.abs(across - line) - 0.09) / plane.du
        if lanes > 2 or stage.chance(0.6):
            stripe = np.maximum(stripe, (np.abs((plane.v / 6) % 1 - 0.5) - 0.28) * 6 / plane.dv)
        stage.lay(plane.box, stripe, stage.air(paint, plane.depth), None)
    if not kerb and lanes > 1:
        edge_line = (np.abs(np.abs(across) - (half - 0.3)) - 0.07) / plane.du
        stage.lay(plane.box, edge_line, stage.air(stage.about(0.86, 0.85, 0.8), plane.depth), None)


def strip(stage: Stage, near: float, far: float, left: float, right: float, kind: str) -> None:
    """A rectangle of ground in metres: a pavement across the view, a crosswalk."""
    plane = stage.view.ground()
    region(stage, plane, plane.edge(left, right, near, far), kind)
