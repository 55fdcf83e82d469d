"""An outdoor scene is a pure function of its arguments, and its maps say what its picture shows."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.miniature.shared.outdoors import cast
from pipeline.miniature.shared.outdoors.classes import CODE, FACING, GEOMETRIES, NAMES
from pipeline.miniature.shared.outdoors.scene import KINDS, Scene, render
from pipeline.miniature.shared.outdoors.view import View


def test_equal_arguments_give_equal_pixels_whatever_came_before() -> None:
    first = render(1, "street_bost7", 64)
    render(2, "coast_natu8", 48)
    again = render(1, "street_bost7", 64)

    for field in ("image", "semantic", "geometric"):
        np.testing.assert_array_equal(getattr(first, field), getattr(again, field))
    assert (first.image.shape, first.image.dtype) == ((64, 64, 3), np.uint8)
    assert (render(2, "street_bost7", 64).image != first.image).any()


@pytest.mark.parametrize("category", KINDS)
@pytest.mark.parametrize("side", [48, 100])
def test_any_category_is_painted_at_any_size_with_maps_in_range(category: str, side: int) -> None:
    for number in range(6):
        scene = render(3, f"{category}_natu{number}", side)
        assert scene.image.shape == (side, side, 3)
        assert scene.semantic.shape == scene.geometric.shape == (side, side)
        assert scene.semantic.max() <= 33 and {-1, 1, 2, 3} >= set(np.unique(scene.geometric).tolist())
        assert scene.image.std() > 5


def test_geometry_follows_from_the_class_and_void_is_small() -> None:
    scenes = gallery(24, 128)
    for scene in scenes:
        both = (scene.semantic > 0) & (scene.geometric > 0)
        np.testing.assert_array_equal(scene.geometric[both], FACING[scene.semantic[both]])
    assert 0.02 < np.mean([scene.semantic == 0 for scene in scenes]) < 0.1
    assert 0.02 < np.mean([scene.geometric == -1 for scene in scenes]) < 0.1


def test_horizontal_things_lie_below_the_sky() -> None:
    rows = np.arange(64)[:, None]
    for scene in gallery(240)[:48]:
        if (scene.geometric == 1).any() and (scene.geometric == 2).any():
            above, below = (
                (rows * (scene.geometric == code)).sum() / (scene.geometric == code).sum() for code in (1, 2)
            )
            assert above < below


def test_every_class_occurs_and_most_often_the_same_few() -> None:
    scenes = gallery(240)
    seen = np.array([np.bincount(scene.semantic.ravel(), minlength=34) > 0 for scene in scenes]).sum(axis=0)
    assert [name for name in NAMES if seen[CODE[name]] < 4] == []
    assert seen[CODE["sky"]] > 200 and seen[CODE["moon"]] < 60


def test_classes_can_be_kept_out() -> None:
    names = [f"{category}_natu{number}" for number in range(12) for category in ("opencountry", "mountain", "coast")]
    kept_out = frozenset({"cow", "desert", "moon"})
    codes = [CODE[name] for name in kept_out]
    with_all, without = ([render(1, name, 64, out) for name in names] for out in (frozenset(), kept_out))
    assert np.isin([scene.semantic for scene in with_all], codes).any()
    assert not np.isin([scene.semantic for scene in without], codes).any()


def test_colour_alone_does_not_tell_the_class() -> None:
    known, asked = pixels(gallery(240)[:64]), pixels(gallery(240)[64:128])
    means = {code: known[0][known[1] == code].mean(axis=0) for code in np.unique(known[1])}
    guesses = [min(means, key=lambda code: float(np.square(means[code] - color).sum())) for color in asked[0]]
    assert np.mean(np.array(guesses) == asked[1]) < 0.4


def test_thin_things_are_no_thinner_than_a_pixel_and_no_thicker_than_they_should() -> None:
    widths = []
    for scene in gallery(240)[:96]:
        pole = np.isin(scene.semantic, [CODE["pole"], CODE["streetlight"]])
        runs = np.diff(np.pad(pole, ((0, 0), (1, 1))).astype(int), axis=1)
        starts, ends = np.nonzero(runs == 1), np.nonzero(runs == -1)
        widths += (ends[1] - starts[1]).tolist()
    assert 1 <= np.median(widths) <= 3


def test_metres_land_where_a_camera_sees_them() -> None:
    view = View(side=128, horizon=50, vanish=64, focal=128, eye=2)
    assert view.spot(0, 1e9) == pytest.approx((64, 50))
    assert view.spot(1, 4) == pytest.approx((64 + 32, 50 + 64))
    assert view.depth(1.0) == pytest.approx(2 * 128 / 78)

    ground = view.ground()
    row, column = 50 + 64 - ground.box[0].start, 64 + 32
    assert (ground.u[row, column], ground.v[row, 0]) == pytest.approx((1, 4))
    front = view.front(4)(0, 1, 0, 2)
    row, column = 50 - front.box[0].start, 96 - front.box[1].start
    assert (front.u[0, column], front.v[row, 0]) == pytest.approx((1, 2))
    wall = view.wall(1)(3, 5, 0, 2)
    row, column = 50 - wall.box[0].start, 96 - wall.box[1].start
    assert (wall.u[0, column], wall.v[row, column]) == pytest.approx((4, 2))


def test_a_plane_outside_the_picture_is_empty_and_harmless() -> None:
    view = View(side=64, horizon=30, vanish=32, focal=64, eye=2)
    for face in (view.front(5), view.wall(3), view.wall(-3)):
        assert face(500, 501, 300, 301).edge(500, 501, 300, 301).size == 0


def test_ids_are_shared_by_no_two_troupes_and_do_not_depend_on_how_many_are_asked_for() -> None:
    troupes = [cast.troupe(5, name, 200) for name in ("trainval", "test", "unannotated")]
    assert len({name for troupe in troupes for name in troupe}) == 600
    assert cast.troupe(5, "test", 20) == troupes[1][:20]
    for troupe in troupes:
        assert {name.split("_")[0] for name in troupe[:8]} == set(KINDS)


def test_the_maps_speak_the_originals_codes() -> None:
    assert (NAMES[0], NAMES[8], NAMES[10], NAMES[15], NAMES[32]) == ("awning", "cow", "desert", "moon", "window")
    assert GEOMETRIES == ("sky", "horizontal", "vertical")
    assert [int(FACING[CODE[name]]) for name in ("sky", "sun", "road", "sea", "building", "bird")] == [1, 1, 2, 2, 3, 3]
    assert FACING[0] == -1


@cache
def gallery(count: int, side: int = 64) -> list[Scene]:
    return [render(7, name, side) for name in cast.troupe(7, "trainval", count)]


def pixels(scenes: list[Scene]) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Every 97th labelled pixel: its colour and its class."""
    colors = np.concatenate([scene.image[scene.semantic > 0] for scene in scenes]).astype(float)[::97]
    return colors, np.concatenate([scene.semantic[scene.semantic > 0] for scene in scenes])[::97]
