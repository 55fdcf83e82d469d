"""What grows: broad trees, conifers, palms, bare trunks, bushes and pots of flowers."""

from __future__ import annotations

import math

import numpy as np

from pipeline.miniature.shared import _textures
from pipeline.miniature.shared.outdoors.classes import CODE
from pipeline.miniature.shared.outdoors.figures import shadow
from pipeline.miniature.shared.outdoors.stage import Stage
from pipeline.miniature.shared.outdoors.view import Plane, Real, span

_BARK = (0.26, 0.20, 0.15)


def broadleaf(stage: Stage, x: float, depth: float) -> None:
    """A crown of clumps on a trunk, at (x, depth) metres on the ground."""
    face, height = stage.view.front(depth), stage.between(3.5, 8)
    width, code = height * stage.between(0.6, 1.0), stage.code("tree")
    _shadow(stage, x, depth, width * 0.4)
    trunk = face(x - width / 2, x + width / 2, 0, height)
    half = height * stage.between(0.018, 0.035)
    bark = stage.air(stage.about(*_BARK, 0.15), depth)
    stem = np.maximum(
        (np.abs(trunk.u - x) - max(half, 0.6 * float(trunk.du[0, 0]) * stage.view.pixel)) / trunk.du,
        (trunk.v - 0.6 * height) / trunk.dv,
    )
    stage.lay(trunk.box, np.maximum(stem, -trunk.v / trunk.dv), bark, code)
    clumps = [
        (x + stage.between(-0.27, 0.27) * width, height * stage.between(0.45, 0.8), width * stage.between(0.2, 0.32))
        for _ in range(4)
    ]
    clumps.append((x, height * 0.66, width * 0.36))
    _crown(stage, face(x - width * 0.65, x + width * 0.65, height * 0.15, height * 1.12), clumps, height, code)


def _crown(stage: Stage, plane: Plane, clumps: list[tuple[float, float, float]], height: float, code: int) -> None:
    """Leaves in round clumps (x, height, radius in metres), lighter where the sky sees them."""
    edge = np.full(np.broadcast_shapes(plane.u.shape, plane.v.shape), np.inf, np.float32)
    for u, v, radius in clumps:
        edge = np.minimum(edge, np.hypot(plane.u - u, plane.v - v) - radius)
    column, row = stage.view.texels(plane.box)
    rough = stage.noise(stage.large, column * 5 + (clumps[0][0] * 37), row * 5)
    leaves = _textures.mosaic(column * 1.3 + 500, row * 1.3 + 500)
    rise = (plane.v - 0.3 * height) / (0.8 * height)
    tone = 0.42 + 0.5 * leaves + 0.28 * rough + 0.45 * rise
    color = stage.about(0.20, 0.33, 0.12, 0.18)
    if stage.chance(0.1):  # autumn
        color = stage.about(0.48, 0.29, 0.10, 0.15)
    color = color * tone.clip(0.15, 2)[..., None]
    stage.lay(plane.box, edge / plane.du + 2.0 * rough * stage.view.pixel, stage.air(color, plane.depth), code)


def conifer(stage: Stage, x: float, depth: float) -> None:
    """A narrow cone of drooping tiers."""
    height = stage.between(3, 7)
    width, code = height * stage.between(0.28, 0.42), stage.code("tree")
    plane = stage.view.front(depth)(x - width * 0.6, x + width * 0.6, 0, height * 1.03)
    _shadow(stage, x, depth, width * 0.4)
    share = (1 - plane.v / height).clip(0, 1)
    tier = (share * stage.between(5, 8)) % 1
    reach = (width / 2) * share * (0.62 + 0.38 * tier)
    edge = np.maximum((np.abs(plane.u - x) - reach) / plane.du, ((0.08 * height) - plane.v) / plane.dv)
    stem = np.maximum(
        (np.abs(plane.u - x) - 0.05 * width) / plane.du,
        np.abs(plane.v - 0.08 * height) / plane.dv - 0.08 * height / plane.dv,
    )
    column, row = stage.view.texels(plane.box)
    rough = stage.noise(stage.fine, column * 1.7, row * 1.7)
    tone = 0.6 + 0.5 * tier + 0.16 * rough - 0.35 * (plane.u - x) / width
    color = stage.about(0.12, 0.24, 0.14, 0.16) * tone[..., None]
    stage.lay(plane.box, stem, stage.air(stage.about(*_BARK), depth), code)
    stage.lay(plane.box, edge + 0.5 * rough * stage.view.pixel, stage.air(color, plane.depth), code)


def palm(stage: Stage, x: float, depth: float) -> None:
    """A leaning stem with hanging fronds, low enough for its crown to show."""
    height = min(stage.between(4, 8), stage.between(0.7, 0.9) * stage.view.spot(x, depth)[1] / stage.view.scale(depth))
    plane = stage.view.front(depth)(x - height * 0.75, x + height * 0.75, 0, height * 1.2)
    code, lean = stage.code("tree"), stage.between(-0.25, 0.25)
    _shadow(stage, x, depth, height * 0.2)
    thin = 0.6 * float(plane.du[0, 0]) * stage.view.pixel
    rise = (plane.v / height).clip(0, 1)
    stem = np.abs(plane.u - x - lean * height * rise * rise) - max(0.02 * height, thin)
    stem = np.maximum(stem / plane.du, np.maximum(-plane.v, plane.v - height) / plane.dv)
    stage.lay(plane.box, stem, stage.air(stage.about(0.40, 0.32, 0.24), depth), code)
    du, dv = plane.u - (x + lean * height), plane.v - height
    edge = np.full(stem.shape, np.inf, np.float32)
    for turn in np.arange(7) * 0.55 - 1.65 + stage.between(-0.2, 0.2):
        along = math.sin(turn) * du + math.cos(turn) * dv
        hang = math.cos(turn) * du - math.sin(turn) * dv + math.copysign(0.9, turn) * along * along / height
        half = max(0.035 * height, thin)
        edge = np.minimum(edge, np.maximum(np.abs(hang) - half, np.abs(along - 0.24 * height) - 0.24 * height))
    column, row = stage.view.texels(plane.box)
    tone = 0.9 + 0.2 * stage.noise(stage.fine, column * 1.7, row * 1.7)
    stage.lay(plane.box, edge / plane.du, stage.air(stage.about(0.22, 0.36, 0.14, 0.15) * tone[..., None], depth), code)


def trunk(stage: Stage, x: float, depth: float) -> None:
    """A stem that leaves the picture at the top, its bark in furrows."""
    view, half = stage.view, stage.between(0.1, 0.26)
    plane = view.front(depth)(x - 2 * half, x + 2 * half, 0, view.eye + (view.horizon + 8) / view.scale(depth))
    lean = stage.between(-0.06, 0.06)
    across = plane.u - x - lean * plane.v
    flare = half * (1 + 0.8 * np.exp(-plane.v * 1.5))
    edge = np.maximum((np.abs(across) - flare) / plane.du, -plane.v / plane.dv)
    furrows = stage.noise(stage.fine, across * (14 / half * 0.12) * 4, plane.v * 3)
    tone = 0.9 + 0.16 * furrows - 0.45 * (across / flare).clip(-1, 1) * stage.between(-1, 1)
    color = stage.one_of(_BARK, _BARK, (0.55, 0.52, 0.47), spread=0.2) * tone[..., None]
    stage.lay(plane.box, edge, stage.air(color, plane.depth), CODE["tree"])


def potted(stage: Stage, x: float, depth: float) -> None:
    """A bush in a clay pot."""
    bush(stage, x, depth, pot=True)


def bush(stage: Stage, x: float, depth: float, *, pot: bool = False) -> None:
    """A low plant of small round leaves, some in flower."""
    size = stage.between(0.4, 0.8) if pot else stage.between(0.5, 1.2)
    size = max(size, 0.06 * stage.view.side / stage.view.scale(depth))  # a sixteenth of the picture at least
    foot = 0.5 * size if pot else 0.0
    plane = stage.view.front(depth)(x - size, x + size, 0, foot + 1.3 * size)
    code = stage.code("plant")
    _shadow(stage, x, depth, size * 0.6)
    if pot:
        sides = (0.3 * size) * (0.75 + 0.3 * plane.v / foot)
        edge = np.maximum(
            (np.abs(plane.u - x) - sides) / plane.du,
            np.maximum(-plane.v, plane.v - foot) / plane.dv,
        )
        stage.lay(plane.box, edge, stage.air(stage.about(0.55, 0.30, 0.20, 0.2), depth), code)
    edge = np.full(np.broadcast_shapes(plane.u.shape, plane.v.shape), np.inf, np.float32)
    for _ in range(3):
        u, v, radius = (
            x + stage.between(-0.4, 0.4) * size,
            foot + stage.between(0.25, 0.55) * size,
            stage.between(0.3, 0.5) * size,
        )
        edge = np.minimum(edge, np.hypot(plane.u - u, plane.v - v) - radius)
    edge = np.maximum(edge, -plane.v)
    column, row = stage.view.texels(plane.box)
    curls = _textures.curls(column * 1.35, row * 1.35)
    color = stage.about(0.26, 0.46, 0.15, 0.15) * (0.5 + 0.75 * curls + 0.25 * plane.v / size)[..., None]
    if stage.chance(0.4):
        bloom = stage.one_of((0.85, 0.25, 0.35), (0.9, 0.8, 0.4), spread=0.2)
        flowers = stage.noise(stage.fine, column * 0.77, row * 0.77) > 1.25
        color = np.where(flowers[..., None], bloom, color)
    stage.lay(plane.box, edge / plane.du, stage.air(color, plane.depth), code)


def foliage(stage: Stage, top: Real) -> None:
    """Leaves from a skyline (a row for each column) down: the inside of a wood."""
    first = max(0, math.floor(float(top.min())) - 1)
    box = (slice(first, stage.view.side), slice(0, stage.view.side))
    column, row = stage.view.texels(box)
    leaves = _textures.mosaic(column * 1.2 + 700, row * 1.2 + 700)
    tone = (0.5 + 0.45 * leaves + 0.3 * stage.noise(stage.large, column * 2.2, row * 2.8)).clip(0.1, 2)
    rough = (2.5 * stage.view.pixel) * stage.noise(stage.large, column * 6, row * 6)
    color = stage.about(0.17, 0.28, 0.11, 0.17) * tone[..., None]
    stage.lay(box, top[None, :] - span(box[0])[:, None] + rough, color, CODE["tree"])


def _shadow(stage: Stage, x: float, depth: float, half: float) -> None:
    column, row = stage.view.spot(x, depth)
    reach = half * stage.view.scale(depth)
    shadow(stage, column, row, max(reach, 1), max(0.18 * reach, 1))
