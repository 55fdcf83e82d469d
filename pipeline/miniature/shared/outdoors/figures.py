"""Things with an outline of their own, built of primitives in named colours, and how they are placed in a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from pipeline.miniature.shared import _textures
from pipeline.miniature.shared._kinds import bars, poly
from pipeline.miniature.shared._shapes import Box, Ellipse, Field, Grid, Primitive, Tube
from pipeline.miniature.shared.outdoors.stage import Stage
from pipeline.miniature.shared.outdoors.view import span

Figure = tuple[tuple[str, Primitive], ...]
"""Parts back to front: the name of a colour, and a shape in the square −0.5 … 0.5, y pointing down."""


def _of(**parts: Primitive | tuple[Primitive, ...]) -> Figure:
    """Parts by colour; a trailing digit lets a colour come again on top of others."""
    figure: list[tuple[str, Primitive]] = []
    for name, shapes in parts.items():
        figure += [(name.rstrip("0123456789"), shape) for shape in (shapes if isinstance(shapes, tuple) else (shapes,))]
    return tuple(figure)


BIRD = _of(
    body=(
        Tube(-0.46, -0.3, -0.2, -0.4, 0.07),
        Tube(-0.2, -0.4, 0.0, 0.1, 0.09),
        Tube(0.0, 0.1, 0.2, -0.4, 0.09),
        Tube(0.2, -0.4, 0.46, -0.3, 0.07),
        Ellipse(0.0, 0.12, 0.12, 0.28),
    )
)
CAR_SIDE = _of(
    body=(Box(0.0, 0.12, 0.49, 0.24, 0.1), poly((-0.24, -0.49), (0.14, -0.49), (0.34, -0.04), (-0.36, -0.04))),
    glass=(
        poly((-0.21, -0.4), (-0.06, -0.4), (-0.06, -0.08), (-0.3, -0.08)),
        poly((-0.02, -0.4), (0.12, -0.4), (0.26, -0.08), (-0.02, -0.08)),
    ),
    dark=(Ellipse(-0.29, 0.32, 0.085, 0.18), Ellipse(0.29, 0.32, 0.085, 0.18)),
    light=Ellipse(0.47, 0.06, 0.03, 0.06),
)
CAR_BACK = _of(
    dark=(Box(-0.34, 0.38, 0.11, 0.12), Box(0.34, 0.38, 0.11, 0.12)),
    body=(Box(0.0, 0.12, 0.49, 0.27, 0.08), poly((-0.3, -0.49), (0.3, -0.49), (0.44, -0.06), (-0.44, -0.06))),
    glass=poly((-0.25, -0.4), (0.25, -0.4), (0.34, -0.08), (-0.34, -0.08)),
    lamp=(Box(-0.38, 0.06, 0.08, 0.06), Box(0.38, 0.06, 0.08, 0.06)),
    light=Box(0.0, 0.2, 0.13, 0.05),
)
BUS_SIDE = _of(
    body=Box(0.0, -0.04, 0.495, 0.43, 0.08),
    stripe=Box(0.0, 0.14, 0.49, 0.06),
    glass=tuple(Box(x, -0.2, 0.07, 0.13) for x in (-0.39, -0.22, -0.05, 0.12, 0.29)),
    glass1=Box(0.44, -0.12, 0.04, 0.22),
    dark=(Ellipse(-0.28, 0.38, 0.06, 0.12), Ellipse(0.3, 0.38, 0.06, 0.12)),
)
BUS_BACK = _of(
    dark=(Box(-0.34, 0.44, 0.1, 0.06), Box(0.34, 0.44, 0.1, 0.06)),
    body=Box(0.0, -0.03, 0.49, 0.45, 0.06),
    glass=Box(0.0, -0.22, 0.41, 0.17),
    stripe=Box(0.0, 0.12, 0.48, 0.06),
    lamp=(Box(-0.38, 0.28, 0.06, 0.05), Box(0.38, 0.28, 0.06, 0.05)),
)
COW = _of(
    body=(
        Box(-0.06, -0.04, 0.38, 0.25, 0.12),
        *bars(
            0.04, (-0.35, 0.1, -0.37, 0.46), (-0.22, 0.1, -0.22, 0.46), (0.14, 0.1, 0.14, 0.46), (0.26, 0.1, 0.27, 0.46)
        ),
        poly((0.2, -0.26), (0.4, -0.44), (0.48, -0.16), (0.3, 0.1)),
        Tube(-0.41, -0.16, -0.47, 0.2, 0.02),
    ),
    light=Ellipse(-0.08, 0.24, 0.08, 0.06),
    dark=(Ellipse(0.46, -0.2, 0.04, 0.07), Tube(0.36, -0.38, 0.32, -0.48, 0.02)),
)
PERSON = _of(
    trousers=bars(0.1, (-0.12, 0.06, -0.18, 0.44), (0.12, 0.06, 0.2, 0.44)),
    shirt=(Box(0.0, -0.12, 0.27, 0.19, 0.08), *bars(0.08, (-0.24, -0.2, -0.38, 0.06), (0.24, -0.2, 0.38, 0.04))),
    skin=Ellipse(0.0, -0.4, 0.18, 0.095),
    hair=Ellipse(0.0, -0.44, 0.18, 0.055),
)
SAIL = _of(
    mast=Tube(0.0, 0.2, 0.0, -0.49, 0.012),
    sail=(poly((0.03, -0.46), (0.4, 0.18), (0.03, 0.18)), poly((-0.04, -0.36), (-0.04, 0.18), (-0.3, 0.18))),
    body=poly((-0.49, 0.24), (0.49, 0.24), (0.34, 0.49), (-0.36, 0.49)),
)
LAUNCH = _of(
    body=poly((-0.49, 0.04), (0.49, -0.06), (0.3, 0.49), (-0.42, 0.49)),
    sail=Box(-0.1, -0.18, 0.22, 0.26, 0.02),
    glass=Box(-0.08, -0.22, 0.19, 0.09),
    mast=Tube(-0.16, -0.42, -0.16, -0.49, 0.02),
)
BIN = _of(body=poly((-0.44, -0.4), (0.44, -0.4), (0.34, 0.5), (-0.34, 0.5)), dark=Box(0.0, -0.42, 0.48, 0.07, 0.02))


def place(
    stage: Stage,
    figure: Figure,
    colors: Mapping[str, Field],
    centre: tuple[float, float],
    size: tuple[float, float],
    code: int,
    *,
    mirrored: bool = False,
    blotched: bool = False,
) -> None:
    """Paint a figure of ``size`` (width, height) pixels around ``centre`` (column, row), lit from above."""
    side, (x, y), (width, height) = stage.view.side, centre, size
    rows, columns = (
        slice(max(0, math.floor(at - long / 2) - 2), max(0, min(side, math.ceil(at + long / 2) + 3)))
        for at, long in ((y, height), (x, width))
    )
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    u = span(columns)[None, :] - x
    v = span(rows)[:, None] - y
    u, v = np.broadcast_arrays(-u if mirrored else u, v)
    grid = Grid(u=u, v=v, width=width, height=height, thin=0.55 * stage.view.pixel)
    shade = (1.05 - 0.3 * (v / height + 0.5))[..., None]
    if blotched:
        coat = _textures.blotches(u * (60 / width) + 5, v * (60 / width) + x)
        shade = shade * (0.35 + 0.65 * coat)[..., None]
    outline = np.full(u.shape, np.inf, np.float32)
    canvas = stage.canvas[rows, columns]
    for name, shape in figure:
        edge = shape.distance(grid)
        outline = np.minimum(outline, edge)
        canvas += (0.5 - edge).clip(0, 1)[..., None] * (colors[name] * shade - canvas)
    stage.codes[rows, columns][outline < 0] = code


def stand(
    stage: Stage,
    figure: Figure,
    colors: Mapping[str, Field],
    spot: tuple[float, float],
    size: tuple[float, float],
    code: int,
    *,
    mirrored: bool = False,
    blotched: bool = False,
) -> None:
    """Put a figure of ``size`` metres on the ground at ``spot`` (metres right, metres ahead), with its shadow."""
    x, y = stage.view.spot(*spot)
    scale = stage.view.scale(spot[1])
    width, height = size[0] * scale, size[1] * scale
    shadow(stage, x, y, width * 0.55, max(height * 0.06, 1.0))
    dull = {name: stage.air(color, spot[1]) for name, color in colors.items()}
    place(stage, figure, dull, (x, y - height / 2), (width, height), code, mirrored=mirrored, blotched=blotched)


def shadow(stage: Stage, x: float, y: float, a: float, b: float) -> None:
    """Darken the ground under a thing: a soft ellipse of half axes ``a`` and ``b`` pixels."""
    side = stage.view.side
    rows = slice(max(0, math.floor(y - 2 * b)), max(0, min(side, math.ceil(y + 2 * b) + 1)))
    columns = slice(max(0, math.floor(x - 1.3 * a)), max(0, min(side, math.ceil(x + 1.3 * a) + 1)))
    u = (span(columns)[None, :] - x) / a
    v = (span(rows)[:, None] - y) / b
    stage.canvas[rows, columns] *= (1 - 0.4 * (1.3 - np.hypot(u, v)).clip(0, 1))[..., None]
