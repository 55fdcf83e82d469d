"""Rocks: facets of stone, lit from above."""

from __future__ import annotations

import math

import numpy as np

from pipeline.miniature.shared.outdoors.figures import shadow
from pipeline.miniature.shared.outdoors.stage import Stage


def boulder(stage: Stage, x: float, depth: float) -> None:
    """A heap of up to three angular stones at (x, depth) metres on the ground, a fourteenth to a fifth of the picture
    tall, however far."""
    size = stage.view.side * stage.between(0.07, 0.2) / stage.view.scale(depth)
    face, code = stage.view.front(depth), stage.code("rock")
    spot, reach = stage.view.spot(x, depth), size * stage.view.scale(depth)
    shadow(stage, *spot, 1.2 * reach, max(0.2 * reach, 1))
    tint = stage.one_of((0.40, 0.36, 0.33), (0.40, 0.36, 0.33), (0.36, 0.25, 0.19), spread=0.18)
    for _ in range(int(stage.rng.integers(1, 4))):
        middle, half, height = (
            x + stage.between(-0.7, 0.7) * size,
            size * stage.between(0.6, 1.2),
            size * stage.between(0.5, 1.0),
        )
        plane = face(middle - half * 1.1, middle + half * 1.1, 0, height * 1.1)
        u, v = (plane.u - middle) / half, plane.v / height
        edge = np.full(np.broadcast_shapes(u.shape, v.shape), -np.inf, np.float32)
        light = np.zeros(edge.shape, np.float32)
        for turn in np.sort(stage.rng.uniform(0.05, math.pi - 0.05, 6)):
            out = math.cos(turn) * u + math.sin(turn) * v - stage.between(0.72, 0.95)
            light = np.where(out > edge, (0.72 + 0.4 * math.sin(turn) - 0.25 * math.cos(turn)), light)
            edge = np.maximum(edge, out)
        column, row = stage.view.texels(plane.box)
        grain = stage.noise(stage.fine, column * 1.3, row * 1.3)
        facet = stage.noise(stage.large, column * 4, row * 4)
        color = tint * (light + 0.1 * grain + 0.13 * facet)[..., None]
        pixels = np.maximum(edge * min(half, height) / plane.du, -plane.v / plane.dv)
        stage.lay(plane.box, pixels, stage.air(color, depth), code)
