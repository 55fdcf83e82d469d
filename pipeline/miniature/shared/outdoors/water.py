"""Water: sea to the horizon, rivers and lakes, all mirroring what was painted above them, and the shore."""

from __future__ import annotations

import math

import numpy as np

from pipeline.miniature.shared._shapes import Field
from pipeline.miniature.shared.outdoors.classes import CODE
from pipeline.miniature.shared.outdoors.ground import region
from pipeline.miniature.shared.outdoors.relief import profile
from pipeline.miniature.shared.outdoors.stage import Stage
from pipeline.miniature.shared.outdoors.view import Plane, Real, span


def sea(stage: Stage, glitter: float | None) -> None:
    """All below the horizon as sea; ``glitter`` is the column of a low sun."""
    plane = stage.view.ground()
    swell = stage.smooth(stage.large, plane.u * 2.2, plane.v * 6)
    waves = swell + 0.8 * stage.smooth(stage.fine, plane.u * 3, plane.v * 8)
    crests = stage.smooth(stage.large, plane.u * 0.9 + 50, plane.v * 4)
    body = stage.one_of((0.10, 0.26, 0.34), (0.16, 0.36, 0.36), spread=0.18)
    color: Real = _mirrored(stage, plane, body, 0.35 + 0.1 * waves, 3.0)
    color = color * (1 + stage.between(0.06, 0.13) * waves)[..., None]
    foam = ((crests - 1.75 + 0.3 * waves) * 1.6).clip(0, 1) * stage.between(0.0, 0.9)
    foam[plane.depth[:, 0] > 45] = 0  # metres; farther crests are no pixel wide
    color = color + foam[..., None] * (stage.light.sun * 0.92 - color)
    if glitter is not None:
        rows, columns = span(plane.box[0])[:, None], span(plane.box[1])[None, :]
        width = (0.05 * stage.view.side) + 0.14 * (rows - stage.view.horizon)
        path = np.exp(-(((columns - glitter) / width) ** 2))
        spark = (path * (0.45 + 0.5 * waves)).clip(0, 1)
        color = color + spark[..., None] * (np.array((1.0, 0.93, 0.75), np.float32) - color)
    color = stage.air(color, plane.depth * 0.25)
    stage.lay(plane.box, np.full(plane.u.shape, -9, np.float32), color, CODE["sea"])


def river(stage: Stage, half: float, swing: float, start: float, far: float = math.inf) -> None:
    """A river that winds towards the camera from ``far`` metres, ``half`` metres to either side of its middle."""
    plane = stage.view.ground(far)
    wave = swing * np.sin(plane.v * stage.between(0.06, 0.16) + stage.between(0, 6))
    away = np.abs(plane.u - start - wave) - half
    ragged = 0.25 * half * stage.noise(stage.large, plane.u * 2, plane.v * 2)
    pool(stage, plane, (away + 0.5 * ragged) / plane.du)


def lake(stage: Stage, near: float, far: float, middle: float, half: float) -> None:
    """Still water between two depths: an ellipse on the ground, in metres."""
    plane = stage.view.ground()
    u = (plane.u - middle) / half
    v = np.log(plane.v / math.sqrt(near * far)) / (math.log(math.sqrt(far / near)))
    ragged = 0.06 * stage.noise(stage.large, plane.u * 1.5, plane.v)
    reach = np.hypot(u, v) - 1 + ragged
    pool(stage, plane, reach * (0.5 * half) / plane.du)


def pool(stage: Stage, plane: Plane, edge: Field) -> None:
    """River water inside ``edge``, its bank darker."""
    ripples = stage.smooth(stage.large, plane.u * 3, plane.v * 9)
    body = stage.one_of((0.22, 0.30, 0.31), (0.35, 0.32, 0.23), spread=0.18)
    color = _mirrored(stage, plane, body, 0.5 + 0.08 * ripples, 1.6) * (1 + 0.06 * ripples)[..., None]
    bank = np.abs(edge) - (1.3 * stage.view.pixel)
    stage.lay(plane.box, bank, stage.canvas[plane.box] * 0.62, None)
    stage.lay(plane.box, edge, stage.air(color, plane.depth * 0.3), CODE["river"])


def shore(stage: Stage, low: float, high: float) -> None:
    """A beach in front of the sea, its line between two shares of the image's side at the left and at the right."""
    side, plane = stage.view.side, stage.view.ground()
    slant = np.linspace(low, high, side, dtype=np.float32) * side
    line = slant + (profile(stage, stage.between(0.6, 1.6), 4, 0.0) - 0.5) * (0.07 * side)
    edge = line[None, :] - span(plane.box[0])[:, None]
    column, row = stage.view.texels(plane.box)
    froth = stage.noise(stage.large, column * 2, row)
    surf = np.abs(edge - (3.0 + 1.6 * froth) * stage.view.pixel) - (1.5 * stage.view.pixel)
    stage.lay(plane.box, surf, stage.light.sun * 0.95, None)
    region(stage, plane, edge, "sand")
    wet = (1 + edge / (0.07 * side)).clip(0, 1) * (edge < 0)
    stage.canvas[plane.box] *= (1 - 0.28 * wet)[..., None]


def _mirrored(stage: Stage, plane: Plane, body: Field, share: Real, tremble: float) -> Field:
    """The colour of water: its own, and ``share`` of the picture above the horizon upside down, shaken by ripples."""
    side, horizon = stage.view.side, stage.view.horizon
    rows, columns = span(plane.box[0])[:, None], span(plane.box[1])[None, :]
    shake = (tremble * stage.view.pixel) * stage.smooth(stage.fine, plane.u * 2, plane.v * 4)
    above = (2 * horizon - rows + shake).clip(0, max(min(horizon, side) - 1, 0)).astype(np.int32)
    beside = (columns + 0.6 * shake).clip(0, side - 1).astype(np.int32)
    image = stage.canvas[above, beside]
    return np.asarray(body + share.clip(0, 1)[..., None] * (image - body), np.float32)
