"""An outline is where its primitives say it is, and every class stays in its frame."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.miniature.shared._shapes import Box, Ellipse, Grid, Polygon, Primitive, Ring, Tube
from pipeline.miniature.shared.scenes.classes import KINDS, NAMES


def grid(side: int = 80, *, unit: float = 40.0, aspect: float = 1.0, thin: float = 0.0) -> Grid:
    v, u = np.mgrid[:side, :side].astype(np.float32) - np.float32(side / 2 - 0.5)
    root = math.sqrt(aspect)
    return Grid(u=u, v=v, width=unit * root, height=unit / root, thin=thin)


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        (Ellipse(0, 0, 0.4, 0.2), np.pi * 0.4 * 0.2),
        (Box(0, 0, 0.3, 0.2), 0.24),
        (Tube(-0.3, 0, 0.3, 0, 0.1), 0.12 + np.pi * 0.01),
        (Ring(0, 0, 0.3, 0.3, 0.05), np.pi * (0.35**2 - 0.25**2)),
        (Polygon(((-0.4, -0.4), (0.4, -0.4), (0.4, 0.4))), 0.32),
    ],
)
def test_a_primitive_has_its_area(shape: Primitive, area: float) -> None:
    covered = (shape.distance(grid()) < 0).sum() / 40**2

    assert covered == pytest.approx(area, rel=0.06)


@pytest.mark.parametrize(
    "shape",
    [Ellipse(0, 0, 0.4, 0.2), Box(0, 0, 0.3, 0.2, 0.05), Tube(-0.3, 0, 0.3, 0.1, 0.1), Ring(0, 0, 0.4, 0.3, 0.04)],
)
def test_distance_is_in_pixels_near_the_edge(shape: Primitive) -> None:
    distance = shape.distance(grid())
    steepness = np.hypot(*np.gradient(distance))

    assert np.median(steepness[np.abs(distance) < 1.5]) == pytest.approx(1, abs=0.1)


def test_no_part_is_thinner_than_asked() -> None:
    hair = Tube(-0.4, 0, 0.4, 0, 0.001)

    assert not (hair.distance(grid()) < 0).any()
    assert (hair.distance(grid(thin=2.0)) < 0).sum(axis=0)[40] == 4


@pytest.mark.parametrize("name", NAMES)
def test_every_class_fills_its_frame_and_stays_inside(name: str) -> None:
    canvas = grid(240, unit=100.0, aspect=KINDS[name].aspect)
    edge = np.minimum.reduce([part.shape.distance(canvas) for part in KINDS[name].parts])
    x, y = canvas.u[edge < 0] / canvas.width, canvas.v[edge < 0] / canvas.height

    assert max(np.abs(x).max(), np.abs(y).max()) < 0.51
    assert min(np.ptp(x), np.ptp(y)) > 0.75


def test_classes_stand_in_vocs_order() -> None:
    assert NAMES[0] == "aeroplane" and NAMES[7] == "cat" and NAMES[19] == "tvmonitor"
    assert list(NAMES) == sorted(NAMES) and len(NAMES) == 20
