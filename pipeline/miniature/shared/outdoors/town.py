"""Two views of houses, painted from the sky to what stands nearest: fronts across a road, and tall buildings."""

from __future__ import annotations

from dataclasses import replace

from pipeline.miniature.shared.outdoors import building, frontage, ground, plants, relief, roadside, sky, spans, traffic
from pipeline.miniature.shared.outdoors.stage import Stage
from pipeline.miniature.shared.outdoors.things import Thing, anywhere, painted, some, thing


def insidecity(stage: Stage) -> None:
    """The fronts of houses across the road."""
    view = stage.view
    sky.sky(stage)
    depth, walk = stage.between(9, 16), stage.between(2, 3.5)
    reach = view.side / view.focal * depth
    ground.cover(stage, "road")
    ground.strip(stage, depth - walk, depth + 30, -2 * reach, 2 * reach, "sidewalk")
    if stage.chance(0.25):
        start = stage.between(-0.4, 0.2) * reach
        ground.strip(stage, view.depth(1.3), depth - walk, start, start + stage.between(2.5, 4), "crosswalk")
    face, start = view.front(depth), -stage.between(0.6, 0.8) * reach
    while start < 0.7 * reach:
        width = stage.between(5, 12)
        house = building.design(stage, start, start + width, stage.between(5.5, 17))
        building.build(stage, face, house)
        frontage.street_floor(stage, face, house)
        if stage.chance(0.4):
            frontage.balconies(stage, face, house)
        start += width + (stage.between(1.5, 4) if stage.chance(0.12) else 0.0)
    painted(_curb(stage, depth, walk))


def _curb(stage: Stage, depth: float, walk: float) -> list[Thing]:
    """What stands, walks and parks between the houses and us."""
    things: list[Thing] = []
    for _ in range(some(stage, 0.7, 3)):
        near = depth - walk - stage.between(1.0, 1.8)
        vehicle = traffic.bus_across if stage.chance(0.15) else traffic.car_across
        things.append(thing(stage, vehicle, anywhere(stage, near), near))
    for paint, share, most in (
        (traffic.person, 0.75, 4),
        (plants.broadleaf, 0.35, 2),
        (plants.potted, 0.45, 2),
        (roadside.pole, 0.3, 2),
        (_lamp, 0.3, 2),
        (roadside.sign, 0.35, 2),
        (traffic.litter, 0.2, 2),
        (_railing, 0.2, 1),
    ):
        for _ in range(some(stage, share, most)):
            near = depth - stage.between(0.4, walk)
            things.append(thing(stage, paint, anywhere(stage, near), near))
    return things


def _lamp(stage: Stage, x: float, depth: float) -> None:
    roadside.streetlight(stage, x, depth, 2.0 if stage.chance(0.5) else -2.0)


def _railing(stage: Stage, x: float, depth: float) -> None:
    spans.fence(stage, stage.view.front(depth), x, x + 5, stage.between(0.9, 1.4))


def tallbuilding(stage: Stage) -> None:
    """High-rises against the sky, seen from below or from afar."""
    view = stage.view
    sky.sky(stage)
    if "moon" not in stage.without and stage.chance(0.6 if stage.light.hour == "night" else 0.06):
        sky.moon(stage)
    ground.cover(stage, "road" if stage.chance(0.5) else "grass")
    layers = (
        (stage.between(180, 320), 9),
        (stage.between(80, 150), 5),
        (stage.between(32, 60), 1 + some(stage, 0.5, 1)),
    )
    for depth, count in layers:
        if depth < 60 and stage.chance(0.6):
            relief.woods(stage, stage.between(0.02, 0.06), stage.between(10, 40))
        reach = 0.5 * view.side / view.focal * depth
        for _ in range(count):
            width = reach * stage.between(0.22, 0.5) * (1.6 if count < 3 else 1)
            x = stage.between(-1, 1) * reach
            rise = stage.between(0.35, 1.05 if count < 3 else 0.75)  # of the way from the horizon to the upper edge
            height = max(rise * view.horizon / view.scale(depth) + view.eye, 8)
            _tower(stage, building.design(stage, x - width / 2, x + width / 2, height, tall=True), depth)
    things: list[Thing] = []
    for paint, share, most, nearest, farthest in (
        (plants.broadleaf, 0.6, 5, 16, 34),
        (traffic.car_across, 0.35, 3, 12, 25),
        (_lamp, 0.3, 2, 8, 18),
    ):
        for _ in range(some(stage, share, most)):
            depth = stage.between(nearest, farthest)
            things.append(thing(stage, paint, anywhere(stage, depth), depth))
    painted(things)


def _tower(stage: Stage, house: building.House, depth: float) -> None:
    """A high-rise with a cap, and the side that we see of it, one of them in shade."""
    view = stage.view
    lit, dim = 1.0, stage.between(0.55, 0.75)
    if stage.chance(0.5):
        lit, dim = dim, lit
    near = min(house.u0, house.u1, key=abs)
    if house.u0 > 1 or house.u1 < -1:
        flank = replace(house, u0=depth, u1=depth + min(house.u1 - house.u0, 30.0))
        building.build(stage, view.wall(near), flank, dim)
    face = view.front(depth)
    if stage.chance(0.25):
        quarter = (house.u1 - house.u0) / 4
        cap = replace(
            house, u0=house.u0 + quarter, u1=house.u1 - quarter, height=house.height * 1.08, shop=house.height
        )
        building.build(stage, face, cap, lit)
    building.build(stage, face, house, lit)
