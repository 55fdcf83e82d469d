"""Buildings: a wall in its material, storeys of windows in perspective, a roof."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from pipeline.miniature.shared import _textures
from pipeline.miniature.shared._shapes import Field
from pipeline.miniature.shared.outdoors.classes import CODE
from pipeline.miniature.shared.outdoors.stage import Stage
from pipeline.miniature.shared.outdoors.view import Face, Plane

_MATERIALS = {
    "brick": ((0.50, 0.24, 0.18), (0.42, 0.28, 0.22), (0.58, 0.38, 0.28)),
    "plaster": ((0.74, 0.68, 0.56), (0.66, 0.60, 0.56), (0.80, 0.77, 0.72), (0.62, 0.50, 0.42)),
    "stone": ((0.56, 0.54, 0.50), (0.48, 0.46, 0.44), (0.66, 0.62, 0.55)),
    "glass": ((0.22, 0.32, 0.40), (0.16, 0.22, 0.26), (0.36, 0.44, 0.48)),
}
_READABLE = 4.0  # pixels of an image of 128 that a window must have each way to be labelled, not part of its wall


@dataclass(frozen=True, kw_only=True)
class House:
    """One building on one face: from ``u0`` to ``u1`` metres along it, ``height`` metres tall.

    ``bay`` and ``storey`` are metres from window to window; the ground floor is ``shop`` metres tall; a window is
    ``pane`` (width, height) metres.
    """

    u0: float
    u1: float
    height: float
    material: str
    wall: Field
    trim: Field
    bay: float
    storey: float
    shop: float
    pane: tuple[float, float]

    @property
    def bays(self) -> list[float]:
        """The middle of each bay, metres."""
        count = round((self.u1 - self.u0) / self.bay)
        return [self.u0 + (index + 0.5) * self.bay for index in range(count)]

    @property
    def floors(self) -> list[float]:
        """The foot of each storey above the shop, metres."""
        return [self.shop + index * self.storey for index in range(round((self.height - self.shop) / self.storey))]


def design(stage: Stage, u0: float, u1: float, height: float, *, tall: bool = False) -> House:
    """Draw a building's looks."""
    material = str(stage.rng.choice(list(_MATERIALS), p=(0.1, 0.25, 0.3, 0.35) if tall else (0.36, 0.4, 0.22, 0.02)))
    wall = stage.one_of(*_MATERIALS[material])
    bay = (u1 - u0) / max(1, round((u1 - u0) / stage.between(2.4, 4.2)))
    shop = stage.between(3.4, 4.4)
    storey = (height - shop) / max(1, round((height - shop) / stage.between(2.9, 3.7)))
    return House(
        u0=u0,
        u1=u1,
        height=height,
        material=material,
        wall=wall,
        trim=wall * 1.35 if stage.chance(0.6) else stage.about(0.8, 0.78, 0.74),
        bay=bay,
        storey=storey,
        shop=shop,
        pane=(bay * stage.between(0.36, 0.62), storey * stage.between(0.45, 0.66)),
    )


def build(stage: Stage, face: Face, house: House, shade: float = 1.0) -> None:
    """Paint wall, cornice and windows; ``shade`` < 1 for a face turned from the light."""
    plane = face(house.u0, house.u1, 0, house.height)
    edge = plane.edge(house.u0, house.u1, -9, house.height)
    if not edge.size:
        return
    color = house.wall * (_material(stage, plane, house) * shade)[..., None]
    stage.lay(plane.box, edge, stage.air(color, plane.depth), CODE["building"])
    cornice = np.maximum(edge, ((house.height - 0.5) - plane.v) / plane.dv)
    stage.lay(plane.box, cornice, stage.air(house.trim * 0.9 * shade, plane.depth), None)
    if house.pane[0] > 0.8 * float(plane.du.min()):  # smaller ones blur into the wall
        _windows(stage, plane, house, shade)


def _material(stage: Stage, plane: Plane, house: House) -> Field:
    stain = 0.05 * stage.noise(stage.large, plane.u * 2, plane.v * 2)
    if house.material == "brick":
        tone = _textures.bricks(plane.u * 9, plane.v * 21) - 0.5
        return np.asarray(1.0 + 0.34 * tone / (1 + (5 * plane.dv) ** 2) + stain, np.float32)
    if house.material == "stone":
        course = np.abs(np.sin(plane.v * (math.pi / 0.9))) < 0.22
        return np.asarray(1.0 - 0.16 * course / (1 + (3 * plane.dv) ** 2) + 1.4 * stain, np.float32)
    if house.material == "glass":
        panes = _textures.panes(plane.u * (2 * math.pi / 1.5), plane.v * (2 * math.pi / 1.75))
        return np.asarray(0.75 + 0.6 * panes / (1 + 2.5 * plane.dv**2) + 2 * stain, np.float32)
    return np.asarray(1.0 + 1.2 * stain, np.float32)


def _windows(stage: Stage, plane: Plane, house: House, shade: float) -> None:
    """Every window above the shop; those too small to read stay part of the wall for the labels."""
    u, v = plane.u - house.u0, plane.v - house.shop
    column, row = u / house.bay, v / house.storey
    rise = row - np.floor(row)
    across = np.abs(column - np.floor(column) - 0.5) * house.bay - (house.pane[0] / 2)
    up = np.abs(rise - 0.52) * house.storey - (house.pane[1] / 2)
    half = (house.u1 - house.u0) / 2
    across = np.maximum(across, np.abs(u - half) - half) / plane.du
    up = np.maximum(up, np.maximum(-v, v - (house.height - house.shop))) / plane.dv
    edge = np.maximum(across, up)
    chance = stage.noise(stage.fine, np.floor(column) * 13 + (5 * house.u0), np.floor(row) * 11)
    frame = np.minimum(0.14 / plane.du, stage.view.pixel * 1.2)
    stage.lay(plane.box, edge - frame, stage.air(house.trim * shade, plane.depth), None)
    stage.lay(plane.box, edge, stage.air(panes(stage, chance, rise, shade), plane.depth), None)
    least = _READABLE * stage.view.pixel
    readable = (house.pane[0] / plane.du >= least) & (house.pane[1] / plane.dv >= least)
    if house.material != "glass":
        stage.codes[plane.box][(edge < 0) & readable] = CODE["window"]


def panes(stage: Stage, chance: Field, rise: Field, shade: float) -> Field:
    """What shows in panes: dark rooms, a reflected sky towards their top, at night here and there a lamp."""
    dark = np.array((0.10, 0.12, 0.15), np.float32) * stage.light.sun
    gleam = (0.16 + 0.24 * rise + 0.16 * chance).clip(0, 0.85)
    color = dark + gleam[..., None] * (stage.light.haze * shade - dark)
    if stage.light.hour in ("night", "dusk"):
        lamps = chance > (0.3 if stage.light.hour == "night" else 1.0)
        color = np.where(lamps[..., None], np.array((0.95, 0.78, 0.42), np.float32), color)
    return np.asarray(color, np.float32)


def cottage(stage: Stage, x: float, depth: float) -> None:
    """A house in the country: a wall with a few windows and a pitched roof."""
    face, width = stage.view.front(depth), stage.between(5, 9)
    height = width * stage.between(0.4, 0.55)
    house = design(stage, x - width / 2, x + width / 2, height + 0.6)
    peak = height + width * stage.between(0.25, 0.4)
    plane = face(x - 0.6 * width, x + 0.6 * width, height, peak)
    share = (peak - plane.v) / (peak - height)
    edge = np.maximum(
        (np.abs(plane.u - x) - share * (0.58 * width)) / plane.du,
        (height - plane.v) / plane.dv,
    )
    tiles = 0.9 + 0.25 * (_textures.stripes(plane.v * 16, plane.v * 16) - 0.5) / (1 + (4 * plane.dv) ** 2)
    roof = stage.one_of((0.45, 0.22, 0.16), (0.34, 0.33, 0.34)) * tiles[..., None]
    house = replace(house, height=height + 0.2, shop=0.6, storey=max(height - 0.6, 2.0))
    build(stage, face, house)
    stage.lay(plane.box, edge, stage.air(roof, depth), CODE["building"])
