"""What runs across or along a view: fences, guard rails, bridges on arches, on piers, or hung from cables."""

from __future__ import annotations

import numpy as np

from pipeline.miniature.shared.outdoors.classes import CODE
from pipeline.miniature.shared.outdoors.roadside import least
from pipeline.miniature.shared.outdoors.stage import Stage
from pipeline.miniature.shared.outdoors.view import Face


def fence(stage: Stage, face: Face, u0: float, u1: float, height: float) -> None:
    """Pickets on two rails from ``u0`` to ``u1`` metres along a face; gaps count, as annotators draw it."""
    plane = face(u0, u1, 0, height)
    edge = plane.edge(u0, u1, 0.0, height)
    gap = height * stage.between(0.22, 0.4)
    spread = 0.34 * gap
    pickets = np.abs((plane.u / gap) % 1 - 0.5) * gap - spread * 0.6
    rails = np.minimum(np.abs(plane.v - 0.35 * height), np.abs(plane.v - 0.8 * height)) - 0.07 * height
    crowd = 1 / (1 + (plane.du / (0.5 * gap)) ** 2)  # far pickets melt into one tone
    solid = np.maximum(edge, np.minimum(pickets / plane.du, rails / plane.dv) * crowd - (1 - crowd))
    color = stage.one_of((0.86, 0.84, 0.78), (0.38, 0.28, 0.20), (0.34, 0.35, 0.36))
    stage.lay(plane.box, solid, stage.air(color, plane.depth), None)
    stage.codes[plane.box][edge < 0] = CODE["fence"]


def guardrail(stage: Stage, face: Face, u0: float, u1: float) -> None:
    """A steel band on posts along a road."""
    plane = face(u0, u1, 0, 0.85)
    edge = plane.edge(u0, u1, 0.0, 0.85)
    band = (np.abs(plane.v - 0.62) - 0.18) / plane.dv
    posts = (np.abs((plane.u / 2) % 1 - 0.5) * 2 - 0.12) / plane.du
    solid = np.maximum(edge, np.minimum(band, posts))
    tone = 0.85 + 0.3 * ((plane.v - 0.5) / 0.3).clip(0, 1)
    color = stage.about(0.60, 0.61, 0.62, 0.1) * tone[..., None]
    stage.lay(plane.box, solid, stage.air(color, plane.depth), None)
    stage.codes[plane.box][edge < 0] = CODE["fence"]


def bridge(stage: Stage, depth: float, left: float, right: float, height: float) -> None:
    """A bridge across the view on arches or piers: its deck ``height`` metres above the ground."""
    plane = stage.view.front(depth)(left, right, 0, height + 1.2)
    edge = plane.edge(left, right, -9, height + 1.0)
    span = stage.between(1.3, 2.6) * height
    at = np.abs(((plane.u - left) / span) % 1 - 0.5) * span
    rise = height * 0.72
    if stage.chance(0.5):
        opening = (np.hypot(at / (0.42 * span), plane.v / rise) - 1) * rise * 0.7
    else:
        opening = np.maximum(at - 0.44 * span, plane.v - rise)
    ledge = np.abs(plane.v - (height + 0.1)) < 0.14
    stones = 0.92 + 0.08 * stage.noise(stage.fine, plane.u * 2.5, plane.v * 5) - 0.22 * ledge
    color = stage.one_of((0.52, 0.47, 0.42), (0.58, 0.58, 0.57), (0.45, 0.25, 0.20))
    body = np.maximum(edge, -opening / plane.du)
    stage.lay(plane.box, body, stage.air(color * stones[..., None], depth), CODE["bridge"])


def suspension(stage: Stage, depth: float, left: float, right: float, height: float) -> None:
    """A suspension bridge: two towers, two cables, hangers, a deck."""
    top = height * 3.2
    plane = stage.view.front(depth)(left, right, 0, top + 1)
    width = right - left
    towers = [left + 0.24 * width, left + 0.76 * width]
    deck = plane.edge(left, right, height, height + max(1.2, 2.4 * float(plane.du[0, 0]) * stage.view.pixel))
    masts = np.minimum.reduce([plane.edge(at - 0.014 * width, at + 0.014 * width, -9, top) for at in towers])
    share = (plane.u - towers[0]) / (towers[1] - towers[0])
    inner, outer = 4 * (share - 0.5) ** 2, 1 - 1.9 * np.maximum(-share, share - 1)
    sag = height + (top - height) * np.where((share > 0) & (share < 1), 0.06 + 0.94 * inner, outer)
    slope = np.sqrt(1 + np.gradient(sag, axis=1) ** 2 / plane.du**2) if sag.shape[1] > 1 else 1.0
    cable = np.maximum(np.abs(plane.v - sag) / slope - least(stage, plane, 0.3), height - plane.v) / plane.du
    hangers = np.maximum(
        (np.abs((share * 22) % 1 - 0.5) * (width / 42) - least(stage, plane, 0.1) * 0.6) / plane.du,
        np.maximum(plane.v - sag, height - plane.v) / plane.dv,
    )
    color = stage.one_of((0.55, 0.16, 0.10), (0.42, 0.44, 0.46))
    tint = stage.air(color, depth)
    stage.lay(plane.box, hangers, (stage.canvas[plane.box] + tint) / 2, None)
    stage.lay(plane.box, np.minimum(np.minimum(deck, masts), cable), tint, CODE["bridge"])
