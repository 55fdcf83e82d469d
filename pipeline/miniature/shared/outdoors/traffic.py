"""Who and what moves: cars, buses, people, cows, boats; and the bins that belong to no class."""

from __future__ import annotations

import numpy as np

from pipeline.miniature.shared.outdoors import figures
from pipeline.miniature.shared.outdoors.classes import CODE, THING
from pipeline.miniature.shared.outdoors.stage import Stage

_PAINTS = (
    (0.62, 0.08, 0.08),
    (0.10, 0.16, 0.36),
    (0.75, 0.76, 0.78),
    (0.10, 0.10, 0.11),
    (0.40, 0.42, 0.44),
    (0.16, 0.30, 0.20),
    (0.80, 0.68, 0.25),
)
_CLOTHES = (
    (0.70, 0.15, 0.15),
    (0.15, 0.25, 0.55),
    (0.85, 0.83, 0.80),
    (0.12, 0.12, 0.13),
    (0.75, 0.62, 0.20),
    (0.25, 0.42, 0.28),
    (0.50, 0.32, 0.45),
)
_SKINS = ((0.82, 0.62, 0.50), (0.55, 0.38, 0.27), (0.35, 0.23, 0.16))


def car(stage: Stage, x: float, depth: float) -> None:
    """A car seen from behind or from the front."""
    size = (stage.between(1.7, 1.9), stage.between(1.4, 1.65))
    _vehicle(stage, figures.CAR_BACK, (x, depth), size, "car")


def car_across(stage: Stage, x: float, depth: float) -> None:
    """A car seen from the side."""
    _vehicle(stage, figures.CAR_SIDE, (x, depth), (stage.between(3.9, 4.7), stage.between(1.4, 1.6)), "car")


def bus(stage: Stage, x: float, depth: float) -> None:
    """A bus seen from behind or from the front."""
    _vehicle(stage, figures.BUS_BACK, (x, depth), (2.6, stage.between(3.0, 3.4)), "bus")


def bus_across(stage: Stage, x: float, depth: float) -> None:
    """A bus seen from the side."""
    _vehicle(stage, figures.BUS_SIDE, (x, depth), (stage.between(9, 11.5), stage.between(3.0, 3.4)), "bus")


def _vehicle(
    stage: Stage, figure: figures.Figure, spot: tuple[float, float], size: tuple[float, float], name: str
) -> None:
    lamp = np.array((0.86, 0.18, 0.11) if stage.chance(0.5) else (0.9, 0.86, 0.68), np.float32)
    colors = {
        "body": stage.one_of(*_PAINTS),
        "glass": stage.about(0.10, 0.13, 0.16) + 0.22 * stage.light.haze,
        "dark": stage.about(0.05, 0.05, 0.055),
        "light": stage.about(0.9, 0.88, 0.8),
        "lamp": lamp,
        "stripe": stage.about(0.88, 0.86, 0.82),
    }
    figures.stand(stage, figure, colors, spot, size, stage.code(name), mirrored=stage.chance(0.5))


def person(stage: Stage, x: float, depth: float) -> None:
    """Someone standing or walking."""
    colors = {
        "shirt": stage.one_of(*_CLOTHES),
        "trousers": stage.one_of(*_CLOTHES) * 0.7,
        "skin": stage.one_of(*_SKINS, spread=0.1),
        "hair": stage.about(0.18, 0.12, 0.08, 0.3),
    }
    height = stage.between(1.6, 1.9)
    figures.stand(stage, figures.PERSON, colors, (x, depth), (height * 0.42, height), stage.code("person"))


def cow(stage: Stage, x: float, depth: float) -> None:
    """A cow, black and white or brown and white."""
    coat = stage.about(0.92, 0.88, 0.82) if stage.chance(0.6) else stage.about(0.62, 0.40, 0.24)
    colors = {"body": coat, "light": stage.about(0.85, 0.62, 0.55), "dark": stage.about(0.12, 0.1, 0.09)}
    mirrored = stage.chance(0.5)
    figures.stand(stage, figures.COW, colors, (x, depth), (2.5, 1.6), CODE["cow"], mirrored=mirrored, blotched=True)


def boat(stage: Stage, x: float, depth: float) -> None:
    """A sailing boat or a launch, on the water."""
    sailing = stage.chance(0.6)
    colors = {
        "body": stage.one_of(*_PAINTS),
        "sail": stage.about(0.93, 0.91, 0.86, 0.06),
        "mast": stage.about(0.35, 0.28, 0.2),
        "glass": stage.about(0.15, 0.2, 0.25),
    }
    length = stage.between(5, 8)
    size = (length, length * stage.between(1.0, 1.35)) if sailing else (length, length * 0.5)
    figure = figures.SAIL if sailing else figures.LAUNCH
    figures.stand(stage, figure, colors, (x, depth), size, stage.code("boat"), mirrored=stage.chance(0.5))


def litter(stage: Stage, x: float, depth: float) -> None:
    """A bin or a box: solid, but none of the classes."""
    colors = {"body": stage.about(0.30, 0.34, 0.30, 0.3), "dark": stage.about(0.12, 0.12, 0.12)}
    figures.stand(stage, figures.BIN, colors, (x, depth), (stage.between(0.7, 1.1), stage.between(0.9, 1.3)), THING)
