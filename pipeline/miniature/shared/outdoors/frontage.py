"""What a street sees of a building: doors with stairs, shop windows with awnings and signs, balconies."""

from __future__ import annotations

import math

import numpy as np

from pipeline.miniature.shared import _textures
from pipeline.miniature.shared._shapes import Field
from pipeline.miniature.shared.outdoors.building import House, panes
from pipeline.miniature.shared.outdoors.classes import CODE
from pipeline.miniature.shared.outdoors.stage import Stage
from pipeline.miniature.shared.outdoors.view import Face, Plane

_COLORS = (
    (0.70, 0.12, 0.12),
    (0.10, 0.32, 0.20),
    (0.12, 0.20, 0.50),
    (0.85, 0.62, 0.15),
    (0.75, 0.72, 0.66),
    (0.40, 0.10, 0.30),
)


def street_floor(stage: Stage, face: Face, house: House, shade: float = 1.0, most: int = 9) -> None:
    """Fill the first ``most`` bays of the ground floor: a door, a shop, or a window."""
    awning = stage.one_of(*_COLORS)
    shops = stage.chance(0.55)
    for middle in house.bays[:most]:
        draw = stage.rng.random()
        if draw < 0.33:
            door(stage, face, house, middle, shade, grand=draw < 0.1)
        elif shops:
            shop(stage, face, house, middle, awning, shade)
        elif draw < 0.9:
            half = house.pane[0] / 2
            glass(stage, face, middle - half, middle + half, 1.0, min(2.9, house.shop - 0.6), house.trim, shade)
    if shops and stage.chance(0.8):
        _board(stage, face, house, shade)


def door(stage: Stage, face: Face, house: House, middle: float, shade: float, *, grand: bool) -> None:
    """A panelled door, half of them above a flight of stairs; a ``grand`` one has wide ones."""
    half, steps = min(0.85, house.bay * 0.3), 0.0
    if grand or stage.chance(0.5):
        steps = stage.between(0.7, 1.1) * (1.5 if grand else 1)
        stairs(stage, face, middle, stage.between(2, 3) if grand else min(half * 1.9, house.bay * 0.49), steps, shade)
    top = min(steps + stage.between(2.1, 2.5), house.shop - 0.3)
    plane = face(middle - half - 0.2, middle + half + 0.2, steps, top + 0.2)
    edge = plane.edge(middle - half, middle + half, steps, top)
    stile = np.maximum(np.abs(np.abs(plane.u - middle) - half / 2) - half * 0.3, 0)
    panel = stile + np.abs((plane.v - steps) % 1.1 - 0.55) * 0.3
    tone = (0.75 + 0.5 * (panel < 0.13)) * shade
    color = (stage.one_of(*_COLORS) if stage.chance(0.6) else stage.about(0.32, 0.20, 0.12, 0.2)) * 0.8
    stage.lay(plane.box, edge - 1.1 * stage.view.pixel, stage.air(house.trim * shade, plane.depth), None)
    stage.lay(plane.box, edge, stage.air(color * tone[..., None], plane.depth), CODE["door"])


def stairs(stage: Stage, face: Face, middle: float, half: float, height: float, shade: float) -> None:
    """A flight of steps up to a door: bright treads, dark risers."""
    plane = face(middle - half, middle + half, 0, height)
    narrowing = half * (1 - 0.22 * plane.v / height)
    edge = np.maximum(
        (np.abs(plane.u - middle) - narrowing) / plane.du,
        np.maximum(-plane.v, plane.v - height) / plane.dv,
    )
    tread = np.sin(plane.v * (2 * math.pi / 0.27))
    color = stage.about(0.60, 0.57, 0.53, 0.1) * (shade * (0.9 + 0.42 * (2 * tread).clip(-1, 1)))[..., None]
    stage.lay(plane.box, edge, stage.air(color, plane.depth), stage.code("staircase"))


def shop(stage: Stage, face: Face, house: House, middle: float, color: Field, shade: float) -> None:
    """A wide shop window, mostly with a striped awning above it."""
    half = house.bay * 0.43
    glass(stage, face, middle - half, middle + half, 0.5, 2.5, house.trim, shade)
    if stage.chance(0.8):
        low, high = stage.between(2.1, 2.4), house.shop - 0.55
        plane = face(middle - half * 1.15, middle + half * 1.15, low - 0.2, high)
        slope = (high - plane.v) / (high - low)
        scallop = 0.12 * np.abs(np.sin(plane.u * (math.pi / 0.55)))
        edge = np.maximum(
            (np.abs(plane.u - middle) - half * (0.95 + 0.18 * slope)) / plane.du,
            np.maximum(low - scallop - plane.v, plane.v - high) / plane.dv,
        )
        bands = _textures.flutes(plane.u * (2 * math.pi / 0.9), plane.v)
        cloth = color + (bands / (1 + (2 * plane.du) ** 2))[..., None] * (stage.light.sun * 0.9 - color)
        cloth = cloth * (shade * (1.12 - 0.35 * slope))[..., None]
        stage.lay(plane.box, edge, stage.air(cloth, plane.depth), CODE["awning"])


def glass(stage: Stage, face: Face, u0: float, u1: float, v0: float, v1: float, trim: Field, shade: float) -> None:
    """One labelled window in its frame."""
    plane = face(u0 - 0.2, u1 + 0.2, v0 - 0.2, v1 + 0.2)
    edge = plane.edge(u0, u1, v0, v1)
    chance = np.full((1, 1), stage.rng.normal(), np.float32)
    rise = ((plane.v - v0) / (v1 - v0)).clip(0, 1)
    stage.lay(plane.box, edge - stage.view.pixel, stage.air(trim * shade, plane.depth), None)
    stage.lay(plane.box, edge, stage.air(panes(stage, chance, rise, shade), plane.depth), CODE["window"])


def balconies(stage: Stage, face: Face, house: House, shade: float = 1.0, most: int = 9) -> None:
    """Railings before some windows of every storey but the shop: bars on a slab."""
    color = stage.about(0.13, 0.13, 0.14, 0.2) if stage.chance(0.5) else house.trim
    chosen = [middle for middle in house.bays[:most] if stage.chance(0.7)]
    for floor in house.floors:
        for middle in chosen:
            _balcony(stage, face, middle, house.bay * 0.44, floor, color, shade)


def _balcony(stage: Stage, face: Face, middle: float, half: float, floor: float, color: Field, shade: float) -> None:
    plane = face(middle - half, middle + half, floor - 0.25, floor + 1.15)
    edge = plane.edge(middle - half, middle + half, floor - 0.2, floor + 1.1)
    bars = _bars(plane, 0.36)
    slab, rail = plane.v - (floor + 0.12), np.abs(plane.v - (floor + 1.02)) - 0.1
    solid = np.maximum(edge, np.minimum(bars, np.minimum(slab, rail) / plane.dv))
    tint = stage.air(color * shade, plane.depth)
    stage.canvas[plane.box] *= (1 - 0.25 * (0.5 - edge).clip(0, 1))[..., None]
    stage.lay(plane.box, solid, tint, None)
    stage.codes[plane.box][edge < 0] = CODE["balcony"]


def _bars(plane: Plane, gap: float) -> Field:
    """Signed pixels from upright bars every ``gap`` metres."""
    return np.asarray((np.abs((plane.u / gap) % 1 - 0.5) - 0.2) * gap / plane.du, np.float32)


def _board(stage: Stage, face: Face, house: House, shade: float) -> None:
    """A shop's sign along part of its front, with lettering."""
    width = (house.u1 - house.u0) * stage.between(0.3, 0.8)
    start = stage.between(house.u0 + 0.3, house.u1 - width - 0.2)
    low, high = house.shop - 0.55, house.shop + 0.45
    plane = face(start, start + width, low, high)
    letters = (stage.noise(stage.fine, plane.u * 4, plane.v * 4) > 0.3) & (np.abs(plane.v - (low + high) / 2) < 0.25)
    ground = stage.one_of(*_COLORS)
    ink = stage.light.sun * 0.95 - ground
    color = (ground + (0.8 * letters)[..., None] * ink) * shade
    stage.lay(plane.box, plane.edge(start, start + width, low, high), stage.air(color, plane.depth), stage.code("sign"))
