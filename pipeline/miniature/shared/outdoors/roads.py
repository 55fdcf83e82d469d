"""Two views along a road, painted from the sky to what stands nearest: a highway, a street between houses."""

from __future__ import annotations

import math
from dataclasses import replace

from pipeline.miniature.shared.outdoors import building, frontage, ground, plants, relief, roadside, sky, spans, traffic
from pipeline.miniature.shared.outdoors.stage import Stage
from pipeline.miniature.shared.outdoors.things import Painter, Thing, along, painted, some, thing


def highway(stage: Stage) -> None:
    """A wide road to the horizon between verges: cars, rails, boards, lamps, at times a bridge across."""
    sky.sky(stage)
    if stage.light.hour == "dusk" and stage.chance(0.45):
        sky.sun(stage)
    if stage.chance(0.5):
        relief.mountains(stage, stage.between(0.06, 0.2), int(stage.rng.integers(1, 4)))
    if stage.chance(0.65):
        relief.woods(stage, stage.between(0.03, 0.1), stage.between(20, 90))
    ground.cover(stage, str(stage.rng.choice(("grass", "field", "grass", "sand"))))
    half, bend, middle = stage.between(4.5, 8), stage.between(-0.0015, 0.0015), stage.between(-3, 3)
    lanes = int(stage.rng.integers(2, 5))
    ground.road(stage, middle, half, bend, lanes=lanes, kerb=0)
    things = [one for side in (-1, 1) for one in _verge(stage, middle, side, half, bend)]
    for lane in range(lanes):
        at = middle - half + 2 * half * (lane + 0.5) / lanes
        things += _column(stage, at, bend, stage.between(7, 16), 0.75, (7, 25))
    if stage.chance(0.35):
        things.append(thing(stage, _overpass, 0, stage.between(22, 45)))
    elif stage.chance(0.35):
        depth = stage.between(18, 32)
        things.append((depth, lambda: roadside.gantry(stage, middle - half - 1, middle + half + 1, depth)))
    painted(things)


def _overpass(stage: Stage, x: float, depth: float) -> None:
    reach = stage.view.side / stage.view.focal * depth
    spans.bridge(stage, depth, -reach, reach, stage.between(5.0, 6.5))


def _verge(stage: Stage, middle: float, side: int, half: float, bend: float) -> list[Thing]:
    """What stands beside a highway on one side; a rail is painted at once, being flat on the ground's edge."""
    rail = middle + side * (half + 0.8)
    if stage.chance(0.45) and abs(rail) > 1:
        spans.guardrail(stage, stage.view.wall(rail), 2.5, 90)

    def off(metres: float, depth: float) -> float:
        return middle + side * (half + metres) + bend * depth * depth

    things: list[Thing] = []
    for paint, share, most, nearest, farthest, least, width in (
        (plants.broadleaf, 0.7, 4, 12, 60, 3, 16),
        (plants.bush, 0.5, 4, 8, 25, 1.5, 5),
        (roadside.sign, 0.45, 1, 8, 22, 1.2, 1.5),
    ):
        for _ in range(some(stage, share, most)):
            depth = stage.between(nearest, farthest)
            things.append(thing(stage, paint, off(stage.between(least, width), depth), depth))
    if stage.chance(0.5):
        things += along(
            stage, _lamp(-2.6 * side), lambda z: off(0.9, z), stage.between(9, 16), stage.between(14, 22), 60
        )
    if stage.chance(0.35):
        things += along(stage, roadside.pole, lambda z: off(5.0, z), stage.between(10, 20), 15, 70)
    return things


def street(stage: Stage) -> None:
    """A street that runs away from us between rows of houses."""
    sky.sky(stage)
    if stage.chance(0.4):
        relief.mountains(stage, stage.between(0.06, 0.16), 2)
    if stage.chance(0.6):
        relief.woods(stage, stage.between(0.04, 0.1), stage.between(20, 70))
    ground.cover(stage, "grass" if stage.chance(0.35) else "sidewalk")
    half, kerb, middle = stage.between(3.2, 5.5), stage.between(1.8, 4.2), stage.between(-1.5, 1.5)
    ground.road(stage, middle, half, 0.0, lanes=2, kerb=kerb)
    if stage.chance(0.55):
        near = stage.between(4.5, 8)
        ground.strip(stage, near, near + stage.between(2.5, 4), middle - half, middle + half, "crosswalk")
    shades = [1.0, stage.between(0.55, 0.8)]
    if stage.chance(0.5):
        shades.reverse()
    houses = [
        _row(stage, middle + side * (half + kerb), side, shade) for side, shade in zip((-1, 1), shades, strict=True)
    ]
    painted(houses[0] + houses[1])
    things = [one for side in (-1, 1) for one in _pavement(stage, middle, side, half, kerb)]
    for at, busy in ((half - 1.1, 0.8), (1.1 - half, 0.8), (stage.between(-1, 1), 0.4)):
        things += _column(stage, middle + at, 0.0, stage.between(6, 14), busy, (5.5, 12))
    painted(things)


def _row(stage: Stage, x: float, side: int, shade: float) -> list[Thing]:
    """Houses along one side: each shows its long front, and where it rises over its neighbour its end wall."""
    view = stage.view
    things: list[Thing] = []
    face, low, balconies = view.wall(x), stage.between(5.5, 14), stage.chance(0.35)
    start, hides = 1.5, math.inf  # what stands before a house hides its end wall up to that height
    while start < 75:
        length, height = stage.between(7, 16) * (1 + start / 60), low * stage.between(0.75, 1.5)
        house = building.design(stage, start, start + length, height)

        def paint(house: building.House = house, hides: float = hides) -> None:
            if house.height > hides:
                left, right = sorted((x, x + side * 14.0))
                end = replace(house, u0=left, u1=right, bay=3.5)
                building.build(stage, view.front(house.u0), end, 1.0 if shade < 1 else 0.7)
            building.build(stage, face, house, shade)
            near = sum(middle < 22 for middle in house.bays)  # metres; farther ones are a few pixels wide
            frontage.street_floor(stage, face, house, shade, near)
            if balconies:
                frontage.balconies(stage, face, house, shade, near)

        things.append((start, paint))
        gap = stage.between(3, 12) if stage.chance(0.2) else 0.0
        start, hides = start + length + gap, 0.0 if gap else height
    return things


def _pavement(stage: Stage, middle: float, side: int, half: float, kerb: float) -> list[Thing]:
    """What stands and walks on one pavement."""
    edge = middle + side * (half + 0.5)
    things: list[Thing] = []
    for paint, share, least, most, step in (
        (plants.broadleaf, 0.4, 7, 14, 10),
        (_lamp(-1.9 * side), 0.5, 7, 15, 18),
        (roadside.pole, 0.35, 7, 13, 15),
    ):
        if stage.chance(share):
            things += along(
                stage, paint, lambda _: edge, stage.between(least, most), step * stage.between(0.8, 1.2), 58
            )
    for _ in range(some(stage, 0.7, 5)):
        at = middle + side * (half + stage.between(0.6, max(0.8, kerb - 0.3)))
        things.append(thing(stage, traffic.person, at, stage.between(4, 18)))
    for paint, share, at in (
        (roadside.sign, 0.4, edge),
        (traffic.litter, 0.2, edge),
        (plants.potted, 0.3, middle + side * (half + kerb - 0.5)),
    ):
        if stage.chance(share):
            things.append(thing(stage, paint, at, stage.between(5, 16)))
    return things


def _column(stage: Stage, x: float, bend: float, first: float, busy: float, gap: tuple[float, float]) -> list[Thing]:
    """Cars and buses one behind the other in a lane."""
    things: list[Thing] = []
    depth = first
    while depth < 60 and stage.chance(busy):
        vehicle = traffic.bus if stage.chance(0.17) else traffic.car
        things.append(thing(stage, vehicle, x + bend * depth * depth, depth))
        depth += stage.between(*gap)
    return things


def _lamp(reach: float) -> Painter:
    def paint(stage: Stage, x: float, depth: float) -> None:
        roadside.streetlight(stage, x, depth, reach)

    return paint
