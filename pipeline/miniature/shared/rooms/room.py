"""A furnished room and the camera in it, as a pure function of a seed and a frame's number."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipeline.miniature.shared._chance import generator
from pipeline.miniature.shared.rooms.finish import Decor
from pipeline.miniature.shared.rooms.layout import CLEAR, Layout
from pipeline.miniature.shared.rooms.names import UNLABELLED
from pipeline.miniature.shared.rooms.plans import PLANS, subject
from pipeline.miniature.shared.rooms.solids import Part, Placed, Point, box
from pipeline.miniature.shared.rooms.viewpoint import Viewpoint

_CLUTTER = 3.0  # a plan's probabilities are those of so many attempts
_FORGOTTEN = 0.04  # share of the pieces that annotators left out


@dataclass(frozen=True, kw_only=True)
class Room:
    """Width (x), depth (y) and height (z) in metres from the corner at 0; the camera looks towards +y.

    ``parts`` pairs each part with its yaw; the first three are floor, ceiling and walls (``SHELL``).
    ``instances`` numbers each part's object among those of its name, from 1; 0 where annotators left it out.
    """

    scene_type: str
    size: Point
    parts: list[tuple[Part, float]]
    instances: list[int]
    view: Viewpoint
    lamp: Point


def furnish(seed: int, number: int) -> Room:
    """Draw frame ``number``'s room (1, 2, …), with what it looks at in view."""
    rng = generator(seed, "room", f"{number:06d}")
    scene_type, thing = subject(number)
    plan = PLANS[scene_type]
    width, depth = (float(side) for side in rng.uniform(*plan.side, 2))
    size = (width, depth, float(rng.uniform(2.3, 2.6)))
    view = _stand(rng, size)
    layout = Layout(rng, size, view)
    layout.add(thing, in_view=True)
    for name, chance in plan.pieces:
        if rng.random() < 1 - (1 - chance) ** _CLUTTER:
            layout.add(name, in_view=name == "floor mat")
    shell = [(_shell(layout.decor, name, size), 0.0) for name in ("floor", "ceiling", "wall")]
    parts, instances = _numbered(rng, layout.placed)
    lamp = (width * rng.uniform(0.3, 0.7), depth * rng.uniform(0.3, 0.65), size[2] - 0.12)
    return Room(
        scene_type=scene_type,
        size=size,
        parts=shell + parts,
        instances=[1, 1, 1, *instances],
        view=view,
        lamp=(float(lamp[0]), float(lamp[1]), lamp[2]),
    )


def _shell(decor: Decor, name: str, size: Point) -> Part:
    return box((0.0, size[0]), (0.0, size[1]), (0.0, size[2]), name, decor.finish(name))


def _stand(rng: np.random.Generator, size: Point) -> Viewpoint:
    """At the height of a hand or a head, in the near part of the room, towards the far wall."""
    width, depth, _ = size
    x = rng.uniform(CLEAR, width - CLEAR)
    y = rng.uniform(0.25, max(0.3, min(0.45 * depth, depth - 2.3)))
    target = rng.uniform(0.1, 0.9) * width
    return Viewpoint(
        x=float(x),
        y=float(y),
        z=float(rng.uniform(1.2, 1.6)),
        yaw=float(np.clip(math.atan2(target - x, depth - y), -0.7, 0.7)),
        pitch=math.radians(float(rng.uniform(0, 25))),
        roll=math.radians(float(rng.triangular(-3, 0, 3))),
    )


def _numbered(rng: np.random.Generator, placed: list[Placed]) -> tuple[list[tuple[Part, float]], list[int]]:
    """All parts, and each one's instance number: parts of one name in one piece belong together."""
    parts: list[tuple[Part, float]] = []
    instances: list[int] = []
    counts: dict[str, int] = {}
    for place in placed:
        forgotten = rng.random() < _FORGOTTEN
        mine: dict[tuple[str, int], int] = {}
        for part, yaw in place.parts():
            parts.append((part, yaw))
            if forgotten or part.name == UNLABELLED:
                instances.append(0)
                continue
            if (part.name, part.number) not in mine:
                counts[part.name] = counts.get(part.name, 0) + 1
                mine[part.name, part.number] = counts[part.name]
            instances.append(mine[part.name, part.number])
    return parts, instances
