"""What stands along roads: poles, traffic lights, streetlights, signs, and boards over motorways."""

from __future__ import annotations

import numpy as np

from pipeline.miniature.shared._shapes import Field
from pipeline.miniature.shared.outdoors.classes import CODE
from pipeline.miniature.shared.outdoors.stage import Stage
from pipeline.miniature.shared.outdoors.view import Plane


def pole(stage: Stage, x: float, depth: float) -> None:
    """A utility pole with a crossarm, or a traffic light."""
    light = stage.chance(0.35)
    height = stage.between(3.4, 4.2) if light else stage.between(6.5, 8.5)
    plane = stage.view.front(depth)(x - 1.4, x + 1.4, 0, height + 0.3)
    code = stage.code("pole")
    color = stage.one_of((0.30, 0.30, 0.30) if light else (0.34, 0.26, 0.20))
    edge = _mast(stage, plane, x, height, 0.17)
    if light:
        edge = np.minimum(edge, plane.edge(x - 0.24, x + 0.24, height - 1.1, height + 0.1))
    else:
        half = least(stage, plane, 0.1)
        edge = np.minimum(edge, plane.edge(x - 1.1, x + 1.1, height - 0.7 - half, height - 0.7 + half))
    stage.lay(plane.box, edge, stage.air(color, depth), code)
    if light:
        lamp = np.hypot(plane.u - x, plane.v - (height - stage.between(0.2, 0.8))) - 0.16
        stage.lay(plane.box, lamp / plane.du, np.array((0.95, 0.25, 0.15), np.float32), None)


def streetlight(stage: Stage, x: float, depth: float, reach: float) -> None:
    """A mast whose arm of ``reach`` metres (its sign the side) holds a lamp over the road."""
    height = stage.between(6.0, 8.0)
    plane = stage.view.front(depth)(x - abs(reach) - 0.8, x + abs(reach) + 0.8, 0, height + 0.6)
    edge = _mast(stage, plane, x, height - 0.5, 0.1)
    share = ((plane.u - x) / reach).clip(0, 1)
    arm = np.abs(plane.v - (height - 0.5) - 0.5 * np.sqrt(share)) - least(stage, plane, 0.08)
    arm = np.maximum(arm, np.abs(plane.u - (x + reach / 2)) - (abs(reach) / 2))
    lamp = np.hypot((plane.u - (x + reach)) / 2.4, plane.v - height) - least(stage, plane, 0.17)
    color = stage.one_of((0.25, 0.27, 0.28), (0.62, 0.63, 0.63))
    edge = np.minimum(edge, np.minimum(arm, lamp) / plane.du)
    code = stage.code("streetlight")
    stage.lay(plane.box, edge, stage.air(color, depth), code)
    glow = stage.light.hour in ("night", "dusk")
    bright = np.array((1.0, 0.88, 0.6) if glow else (0.85, 0.85, 0.82), np.float32)
    stage.lay(plane.box, lamp / plane.du + 0.6, bright, None)


def sign(stage: Stage, x: float, depth: float) -> None:
    """A traffic sign on its post: round, square or a triangle."""
    height, half = stage.between(2.3, 3.0), stage.between(0.45, 0.75)
    plane = stage.view.front(depth)(x - 1, x + 1, 0, height + 0.8)
    post = _mast(stage, plane, x, height, 0.05)
    stage.lay(plane.box, post, stage.air(stage.about(0.5, 0.5, 0.5), depth), CODE["pole"])
    du, dv = np.abs(plane.u - x), plane.v - height
    shape = int(stage.rng.integers(3))
    edge = (np.hypot(du, dv), np.maximum(du, np.abs(dv)), np.maximum(0.87 * du + 0.5 * dv, -dv) * 1.25)[shape] - half
    inner = stage.one_of((0.92, 0.9, 0.86), (0.10, 0.25, 0.62), spread=0.08)
    rim = stage.one_of((0.80, 0.10, 0.10), (0.9, 0.75, 0.1), spread=0.08)
    stage.lay(plane.box, edge / plane.du, stage.air(rim, depth), stage.code("sign"))
    stage.lay(plane.box, (edge + half * 0.4) / plane.du, stage.air(inner, depth), None)


def gantry(stage: Stage, left: float, right: float, depth: float) -> None:
    """Green boards over a motorway on a beam between two masts."""
    plane = stage.view.front(depth)(left - 0.5, right + 0.5, 0, 8.5)
    frame = np.minimum(_mast(stage, plane, left, 7.5, 0.2), _mast(stage, plane, right, 7.5, 0.2))
    frame = np.minimum(frame, plane.edge(left, right, 7.2, 7.5))
    stage.lay(plane.box, frame, stage.air(stage.about(0.5, 0.52, 0.53), depth), CODE["pole"])
    color = stage.one_of((0.05, 0.33, 0.20), (0.08, 0.22, 0.55))
    count = int(stage.rng.integers(1, 4))
    for index in range(count):
        start = left + (right - left) * (index + 0.12) / count
        stop = left + (right - left) * (index + 0.88) / count
        letters = (stage.noise(stage.fine, plane.u * 3.5, plane.v * 3.5) > 0.5) & (
            np.abs((plane.v - 5.5) % 0.9 - 0.45) < 0.2
        )
        ink = color + (0.75 * letters)[..., None] * (stage.light.sun - color)
        stage.lay(plane.box, plane.edge(start, stop, 5.2, 7.9), stage.air(ink, depth), CODE["sign"])


def least(stage: Stage, plane: Plane, half: float) -> float:
    """Metres of half a thickness that still shows: no thinner than a pixel of an image of 128 to each side."""
    return max(half, stage.view.pixel * float(plane.du[0, 0]))


def _mast(stage: Stage, plane: Plane, x: float, height: float, half: float) -> Field:
    return plane.edge(x - least(stage, plane, half), x + least(stage, plane, half), 0.0, height)
