"""Things that stand on the ground: strewn over it, then painted from the farthest to the nearest."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from pipeline.miniature.shared.outdoors.classes import CODE
from pipeline.miniature.shared.outdoors.stage import Stage

Painter = Callable[[Stage, float, float], None]
"""Paints one thing at metres right of straight ahead, metres ahead."""

Thing = tuple[float, Callable[[], None]]
"""Metres from the camera, and what paints it."""

LAND = ("grass", "field", "desert", "sand")


def thing(stage: Stage, paint: Painter, x: float, depth: float) -> Thing:
    """One thing in its place."""
    return depth, lambda: paint(stage, x, depth)


def strewn(
    stage: Stage,
    paint: Painter,
    share: float,
    most: int,
    reach: tuple[float, float],
    *,
    on: tuple[str, ...] = (),
    border: bool = False,
) -> list[Thing]:
    """With chance ``share`` 1 to ``most`` things, none outside the picture.

    ``reach`` are shares of the way from the horizon to the lower edge; ``on`` keeps those whose ground is one of these
    classes; ``border`` keeps the picture's middle free.
    """
    things: list[Thing] = []
    for _ in range(some(stage, share, most)):
        depth = stage.view.depth(stage.between(*reach))
        x = beside(stage, depth) if border else anywhere(stage, depth)
        if not on or _ground(stage, x, depth) in [CODE[name] for name in on]:
            things.append(thing(stage, paint, x, depth))
    return things


def along(
    stage: Stage, paint: Painter, x: Callable[[float], float], first: float, step: float, last: float
) -> list[Thing]:
    """A row of things every ``step`` metres ahead, at ``x(depth)`` metres to the right."""
    return [thing(stage, paint, x(depth), depth) for depth in np.arange(first, last, step).tolist()]


def painted(things: Iterable[Thing]) -> None:
    """Paint all, the nearest last."""
    for _, paint in sorted(things, key=lambda thing: -thing[0]):
        paint()


def some(stage: Stage, share: float, most: int) -> int:
    """None, or with chance ``share`` 1 to ``most``."""
    return int(stage.rng.integers(1, most + 1)) if stage.chance(share) else 0


def anywhere(stage: Stage, depth: float) -> float:
    """Metres to the right of straight ahead: anywhere in the picture."""
    return (stage.between(0.02, 0.98) * stage.view.side - stage.view.vanish) / stage.view.scale(depth)


def beside(stage: Stage, depth: float) -> float:
    """Likewise, near the picture's left or right border."""
    share = stage.between(0.03, 0.24)
    column = share if stage.chance(0.5) else 1 - share
    return (column * stage.view.side - stage.view.vanish) / stage.view.scale(depth)


def _ground(stage: Stage, x: float, depth: float) -> int:
    """The code of what shows at a spot of the ground."""
    column, row = stage.view.spot(x, depth)
    last = stage.view.side - 1
    return int(stage.codes[min(max(round(row), 0), last), min(max(round(column), 0), last)])
