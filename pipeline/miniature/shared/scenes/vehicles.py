"""VOC's vehicles as miniature objects."""

from __future__ import annotations

from pipeline.miniature.shared import _textures
from pipeline.miniature.shared._kinds import bars, dark, kind, light, poly
from pipeline.miniature.shared._shapes import Box, Ellipse, Ring, Tube

AEROPLANE = kind(
    poly((-0.2, -0.5), (-0.08, -0.5), (0.14, 0.0), (-0.12, 0.0)),
    poly((-0.12, 0.0), (0.14, 0.0), (-0.08, 0.5), (-0.2, 0.5)),
    poly((-0.49, -0.22), (-0.4, -0.22), (-0.28, 0.0), (-0.44, 0.0)),
    poly((-0.44, 0.0), (-0.28, 0.0), (-0.4, 0.22), (-0.49, 0.22)),
    Tube(-0.4, 0.0, 0.42, 0.0, 0.07),
    dark(Ellipse(0.4, 0.0, 0.04, 0.045)),
    texture=_textures.stripes,
    period=4.0,
    aspect=1.1,
)
BICYCLE = kind(
    Ring(-0.28, 0.15, 0.19, 0.28, 0.022),
    Ring(0.28, 0.15, 0.19, 0.28, 0.022),
    *bars(
        0.02,
        (-0.28, 0.15, -0.1, -0.22),
        (-0.1, -0.22, 0.2, -0.22),
        (-0.28, 0.15, 0.0, 0.18),
        (0.0, 0.18, -0.12, -0.3),
        (0.0, 0.18, 0.2, -0.22),
        (0.28, 0.15, 0.17, -0.42),
        (0.17, -0.42, 0.28, -0.45),
    ),
    Tube(-0.2, -0.34, -0.05, -0.34, 0.035),
    texture=_textures.rungs,
    period=4.0,
    aspect=1.45,
)
BOAT = kind(
    poly((-0.5, 0.16), (0.5, 0.16), (0.32, 0.46), (-0.36, 0.46)),
    Tube(0.0, 0.16, 0.0, -0.46, 0.02),
    poly((0.05, -0.46), (0.4, 0.08), (0.05, 0.08)),
    poly((-0.05, -0.38), (-0.05, 0.08), (-0.32, 0.08)),
    texture=_textures.planks,
    period=5.0,
)
BUS = kind(
    Box(0.0, -0.05, 0.49, 0.38, 0.06),
    dark(Ellipse(-0.28, 0.34, 0.09, 0.14)),
    dark(Ellipse(0.28, 0.34, 0.09, 0.14)),
    light(Box(0.44, -0.12, 0.04, 0.16)),
    texture=_textures.panes,
    period=7.0,
    aspect=1.6,
)
CAR = kind(
    Box(0.0, 0.12, 0.49, 0.2, 0.08),
    poly((-0.18, -0.38), (0.14, -0.38), (0.34, 0.0), (-0.34, 0.0)),
    light(poly((-0.14, -0.3), (-0.04, -0.3), (-0.04, -0.06), (-0.23, -0.06))),
    light(poly((0.03, -0.3), (0.11, -0.3), (0.22, -0.06), (0.03, -0.06))),
    dark(Ellipse(-0.28, 0.3, 0.1, 0.19)),
    dark(Ellipse(0.28, 0.3, 0.1, 0.19)),
    texture=_textures.dots,
    period=7.5,
    aspect=1.8,
)
MOTORBIKE = kind(
    Ring(-0.3, 0.16, 0.16, 0.25, 0.05),
    Ring(0.3, 0.16, 0.16, 0.25, 0.05),
    Ellipse(0.0, 0.12, 0.17, 0.18),
    Ellipse(0.05, -0.15, 0.2, 0.13),
    Tube(-0.36, -0.16, -0.06, -0.1, 0.06),
    *bars(0.028, (0.3, 0.16, 0.18, -0.4), (0.18, -0.4, 0.06, -0.45), (-0.42, 0.3, 0.0, 0.26)),
    dark(Ellipse(0.0, 0.14, 0.07, 0.08)),
    texture=_textures.crosshatch,
    period=5.0,
    aspect=1.4,
)
TRAIN = kind(
    Tube(-0.1, 0.02, 0.38, 0.02, 0.16),
    Box(-0.32, -0.1, 0.16, 0.36, 0.02),
    Box(0.3, -0.32, 0.045, 0.16),
    Box(0.06, -0.24, 0.05, 0.12),
    poly((0.38, 0.18), (0.5, 0.44), (0.3, 0.44)),
    light(Box(-0.32, -0.22, 0.08, 0.12)),
    *(dark(Ellipse(x, 0.34, 0.08, 0.15)) for x in (-0.38, -0.2, -0.02, 0.16)),
    texture=_textures.bricks,
    period=5.0,
    aspect=1.8,
)
