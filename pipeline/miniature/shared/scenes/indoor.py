"""VOC's indoor things as miniature objects."""

from __future__ import annotations

from pipeline.miniature.shared import _textures
from pipeline.miniature.shared._kinds import bars, dark, kind, light, poly
from pipeline.miniature.shared._shapes import Box, Ellipse, Tube

BOTTLE = kind(
    Box(0.0, 0.17, 0.45, 0.32, 0.1),
    Ellipse(0.0, -0.13, 0.45, 0.14),
    Box(0.0, -0.3, 0.17, 0.14),
    dark(Box(0.0, -0.45, 0.21, 0.045)),
    texture=_textures.flutes,
    period=5.0,
    aspect=0.4,
)
CHAIR = kind(
    *bars(0.028, (-0.28, -0.46, -0.28, 0.1), (0.28, -0.46, 0.28, 0.1)),
    *bars(0.055, (-0.26, -0.42, 0.26, -0.42), (-0.26, -0.2, 0.26, -0.2)),
    poly((-0.32, -0.02), (0.32, -0.02), (0.44, 0.15), (-0.44, 0.15)),
    *bars(0.03, (-0.4, 0.12, -0.44, 0.47), (0.4, 0.12, 0.44, 0.47)),
    *bars(0.025, (-0.2, 0.1, -0.2, 0.38), (0.2, 0.1, 0.2, 0.38)),
    texture=_textures.basket,
    period=3.6,
    aspect=0.7,
)
DININGTABLE = kind(
    Ellipse(0.0, -0.2, 0.5, 0.24),
    *bars(0.032, (-0.4, -0.1, -0.43, 0.36), (0.4, -0.1, 0.43, 0.36)),
    *bars(0.032, (-0.16, 0.0, -0.17, 0.46), (0.16, 0.0, 0.17, 0.46)),
    light(Ellipse(-0.14, -0.22, 0.1, 0.06)),
    dark(Ellipse(0.18, -0.26, 0.06, 0.05)),
    texture=_textures.grain,
    period=4.2,
    aspect=1.4,
)
POTTEDPLANT = kind(
    *bars(0.085, (0.0, 0.2, -0.34, -0.28), (0.0, 0.2, 0.0, -0.42), (0.0, 0.2, 0.34, -0.28)),
    *bars(0.06, (0.0, 0.2, -0.42, 0.0), (0.0, 0.2, 0.42, 0.0)),
    dark(poly((-0.24, 0.14), (0.24, 0.14), (0.17, 0.49), (-0.17, 0.49))),
    texture=_textures.mosaic,
    period=6.0,
    aspect=0.85,
    bend=0.1,
)
SOFA = kind(
    Box(0.0, -0.14, 0.42, 0.3, 0.08),
    Box(0.0, 0.22, 0.44, 0.17, 0.02),
    Box(-0.42, 0.1, 0.08, 0.28, 0.06),
    Box(0.42, 0.1, 0.08, 0.28, 0.06),
    *bars(0.03, (-0.42, 0.3, -0.42, 0.46), (0.42, 0.3, 0.42, 0.46)),
    dark(Tube(-0.3, 0.06, 0.3, 0.06, 0.015)),
    texture=_textures.cushions,
    period=9.0,
    aspect=1.7,
)
TVMONITOR = kind(
    Box(0.0, -0.1, 0.46, 0.36),
    *(dark(frame) for frame in bars(0.035, (-0.45, -0.45, 0.45, -0.45), (-0.45, 0.25, 0.45, 0.25))),
    *(dark(frame) for frame in bars(0.035, (-0.45, -0.45, -0.45, 0.25), (0.45, -0.45, 0.45, 0.25))),
    dark(Tube(0.0, 0.26, 0.0, 0.42, 0.03)),
    dark(Box(0.0, 0.45, 0.24, 0.04)),
    texture=_textures.ripples,
    period=5.0,
    aspect=1.25,
)
