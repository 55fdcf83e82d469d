"""Four landscapes, painted from the sky to what stands nearest: coast, forest, mountain, open country."""

from __future__ import annotations

from pipeline.miniature.shared.outdoors import building, ground, plants, relief, rocks, sky, spans, traffic, water
from pipeline.miniature.shared.outdoors.stage import Stage
from pipeline.miniature.shared.outdoors.things import LAND, Thing, painted, some, strewn


def coast(stage: Stage) -> None:
    """Sea to the horizon, headlands, a beach or rocks in front."""
    view, rng = stage.view, stage.rng
    glitter = _heavens(stage, low_sun=0.7)
    if stage.chance(0.6):
        lean = stage.between(0.5, 1.0) * (1 if stage.chance(0.5) else -1)
        relief.mountains(stage, stage.between(0.08, 0.22), int(rng.integers(1, 4)), lean)
    if stage.chance(0.24):
        depth = stage.between(70, 120)
        across = 0.9 * view.side / view.focal * depth
        spans.suspension(stage, depth, -across, across, stage.between(7, 11))
    water.sea(stage, glitter)
    painted(strewn(stage, traffic.boat, 0.75, 3, (0.1, 0.45)))
    things: list[Thing] = []
    beach = stage.chance(0.7)
    if beach:
        line = view.horizon / view.side
        low, high = (line + (1 - line) * stage.between(0.5, 0.9) for _ in range(2))
        water.shore(stage, low, high)
        things += strewn(stage, traffic.person, 0.6, 4, (0.7, 1.05), on=("sand",))
        things += strewn(stage, plants.palm, 0.45, 2, (0.6, 1.0), on=("sand",), border=True)
        things += strewn(stage, plants.bush, 0.4, 3, (0.75, 1.15), on=("sand",))
    things += strewn(stage, rocks.boulder, 0.45 if beach else 0.9, 5, (0.4, 1.1))
    painted(things)


def forest(stage: Stage) -> None:
    """A wall of leaves with gaps of sky, trunks before it, undergrowth, a brook or a path."""
    sky.sky(stage)
    if stage.chance(0.35):
        relief.mountains(stage, stage.between(0.2, 0.4), 2)
    far = stage.between(14, 30)
    top = stage.view.side * (stage.between(-0.25, 0.25) + 0.5 * (relief.profile(stage, 1.5, 7, -0.5) - 0.5))
    plants.foliage(stage, top)
    ground.cover(stage, "grass" if stage.chance(0.7) else "field", far)
    draw = stage.rng.random()
    if draw < 0.3:
        water.river(stage, stage.between(0.5, 1.4), stage.between(0.2, 1.0), stage.between(-0.8, 0.8), far)
    elif draw < 0.5:
        ground.road(
            stage, stage.between(-1, 1), stage.between(0.8, 1.5), stage.between(-0.01, 0.01), lanes=1, kerb=0, far=far
        )
    things = strewn(stage, plants.trunk, 1.0, 9, (0.15, 0.8), on=LAND)
    things += strewn(stage, plants.conifer, 0.5, 3, (0.15, 0.4), on=LAND)
    things += strewn(stage, plants.bush, 0.75, 6, (0.2, 1.1), on=LAND)
    things += strewn(stage, rocks.boulder, 0.35, 2, (0.4, 1.0))
    things += strewn(stage, traffic.person, 0.2, 2, (0.25, 0.6))
    painted(things)


def mountain(stage: Stage) -> None:
    """Ranges in haze above meadows, woods, a lake, scree."""
    view = stage.view
    _heavens(stage, low_sun=0.25)
    relief.mountains(stage, stage.between(0.3, 0.6), int(stage.rng.integers(2, 5)))
    if stage.chance(0.5):
        relief.woods(stage, stage.between(0.03, 0.1), stage.between(20, 80))
    _land(stage)
    if stage.chance(0.4):
        near, far = view.depth(stage.between(0.5, 0.9)), view.depth(stage.between(0.06, 0.15))
        water.lake(stage, near, far, stage.between(-0.2, 0.2) * near, near * stage.between(0.5, 1.2))
    things = _herd(stage, 0.45)
    things += strewn(stage, plants.conifer, 0.7, 9, (0.08, 0.6), on=LAND)
    things += strewn(stage, rocks.boulder, 0.6, 6, (0.3, 1.1))
    things += strewn(stage, building.cottage, 0.25, 1, (0.1, 0.25), on=LAND)
    painted(things)


def opencountry(stage: Stage) -> None:
    """Fields, meadows or desert under a wide sky; trees, cattle, a house, a fence, a river with its bridge."""
    _heavens(stage, low_sun=0.4)
    if stage.chance(0.5):
        relief.mountains(stage, stage.between(0.08, 0.22), int(stage.rng.integers(1, 4)))
    if "desert" not in stage.without and stage.chance(0.42):
        _desert(stage)
        return
    if stage.chance(0.5):
        ground.hills(stage, stage.between(0.05, 0.16), int(stage.rng.integers(1, 4)), ("field", "grass"))
    if stage.chance(0.55):
        relief.woods(stage, stage.between(0.02, 0.07), stage.between(20, 80))
    _land(stage)
    things: list[Thing] = []
    draw = stage.rng.random()
    if draw < 0.42:
        water.river(stage, stage.between(1.2, 3.0), stage.between(0.5, 3.5), stage.between(-2, 2))
        things += strewn(stage, _arches, 0.7, 1, (0.09, 0.2))
    elif draw < 0.55:
        ground.road(stage, stage.between(-2, 2), stage.between(1.2, 2.2), stage.between(-0.012, 0.012), lanes=1, kerb=0)
    things += _herd(stage, 0.85)
    things += strewn(stage, plants.broadleaf, 0.7, 4, (0.1, 0.6), on=LAND)
    things += strewn(stage, plants.bush, 0.5, 4, (0.2, 1.1), on=LAND)
    things += strewn(stage, building.cottage, 0.3, 1, (0.1, 0.25), on=LAND)
    painted(things)


def _desert(stage: Stage) -> None:
    if stage.chance(0.6):
        ground.hills(stage, stage.between(0.06, 0.18), int(stage.rng.integers(1, 4)), ("desert",))
    ground.cover(stage, "desert")
    things = strewn(stage, plants.bush, 0.7, 5, (0.1, 1.0))
    painted(things + strewn(stage, rocks.boulder, 0.5, 3, (0.2, 1.0)))


def _heavens(stage: Stage, low_sun: float) -> float | None:
    """Sky with a moon, a sun, birds; the sun's column, if it shines."""
    sky.sky(stage)
    column = None
    hour = stage.light.hour
    if "moon" not in stage.without and stage.chance({"night": 0.85, "dusk": 0.35}.get(hour, 0.12)):
        sky.moon(stage)
    elif (hour == "dusk" and stage.chance(low_sun + 0.3)) or (hour == "day" and stage.chance(0.7 * low_sun)):
        column = sky.sun(stage)
    if hour != "night" and stage.chance(0.35):
        sky.birds(stage)
    return column


def _land(stage: Stage) -> None:
    """The plain: a meadow or a field, some of it the other."""
    first, second = ("grass", "field") if stage.chance(0.5) else ("field", "grass")
    ground.cover(stage, first)
    if stage.chance(0.5):
        plane = stage.view.ground()
        line = stage.view.depth(stage.between(0.2, 0.7)) * (1 + 0.1 * stage.noise(stage.large, plane.u, plane.v))
        edge = (line - plane.v + stage.between(-0.5, 0.5) * plane.u) / plane.dv
        ground.region(stage, plane, edge, second)


def _herd(stage: Stage, share: float) -> list[Thing]:
    """Cattle, and a fence for them."""
    count = 0 if "cow" in stage.without else some(stage, share, 5)
    cattle = [one for _ in range(count) for one in strewn(stage, traffic.cow, 1.0, 1, (0.25, 0.9), on=LAND)]
    return cattle + strewn(stage, _across, 0.3, 1, (0.35, 0.9))


def _across(stage: Stage, x: float, depth: float) -> None:
    """A fence from border to border."""
    reach = stage.view.side / stage.view.focal * depth
    spans.fence(stage, stage.view.front(depth), -reach, reach, stage.between(0.9, 1.3))


def _arches(stage: Stage, x: float, depth: float) -> None:
    """A bridge from border to border."""
    reach = stage.view.side / stage.view.focal * depth
    spans.bridge(stage, depth, -reach, reach, stage.between(2.5, 4.5))
