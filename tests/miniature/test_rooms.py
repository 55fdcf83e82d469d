"""Rooms are real geometry: depth, labels and light come from one scene, and colour tells what depth cannot."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.miniature.shared.rooms.cast_rays import cast
from pipeline.miniature.shared.rooms.finish import Decor
from pipeline.miniature.shared.rooms.frame import Frame, render
from pipeline.miniature.shared.rooms.kinect import measure
from pipeline.miniature.shared.rooms.names import CLASSES, MAP_CLASS, RAW, RAW_LABEL
from pipeline.miniature.shared.rooms.room import furnish
from pipeline.miniature.shared.rooms.solids import BOX, CYLINDER, ELLIPSOID, SHELL, Solids, solids
from pipeline.miniature.shared.rooms.viewpoint import Viewpoint, intrinsics, rays

FLAT = ("blinds", "curtain", "door", "mirror", "paper", "picture", "television", "whiteboard", "window")


def test_equal_arguments_give_equal_pixels_whatever_came_before() -> None:
    first = render(1, 12, 96)
    render(2, 5, 64)
    again = render(1, 12, 96)

    for field in ("image", "depth", "raw_depth", "label", "instances"):
        np.testing.assert_array_equal(getattr(first, field), getattr(again, field))
    assert (render(2, 12, 96).image != first.image).any()
    assert (render(1, 13, 96).image != first.image).any()


def test_a_frame_shows_the_same_room_at_any_size() -> None:
    for number in range(1, 7):
        small, large = render(1, number, 64), render(1, number, 256)

        inner = large.depth[2::4, 2::4]
        assert np.median(np.abs(inner / small.depth - 1)) < 0.02
        both = (small.label > 0) & (large.label[2::4, 2::4] > 0)
        assert (small.label == large.label[2::4, 2::4])[both].mean() > 0.98


def test_the_floor_lies_at_the_camera_s_feet_and_walls_stand_upright() -> None:
    fx, fy, cx, cy = intrinsics(160)
    for frame in frames(12):
        u, v = np.meshgrid(np.arange(1, 161), np.arange(1, 121))
        seen = np.stack([(u - cx) / fx, (v - cy) / fy, np.ones((120, 160))], -1) * frame.depth[..., None]
        up = (seen @ frame.view.axes().T)[..., 2] + frame.view.z
        floor = up[frame.label == RAW_LABEL["floor"]]
        if floor.size > 200:
            assert abs(np.median(floor)) < 0.005
            assert np.quantile(np.abs(floor), 0.95) < 0.03
        assert up.min() > -0.1 and up.max() < 2.8


def test_rays_end_on_the_first_solid_in_their_way() -> None:
    rng = np.random.default_rng(0)
    count = 24
    yaw = rng.uniform(-2, 2, count)
    yaw[:8] = 0
    centre = np.column_stack([rng.uniform(0.5, 4.5, count), rng.uniform(2, 5.5, count), rng.uniform(0, 2.4, count)])
    half = rng.uniform(0.05, 0.5, (count, 3))
    shape = rng.integers(0, 3, count)
    centre[0], half[0], shape[0], yaw[0] = (2.5, 3.0, 1.25), (2.5, 3.0, 1.25), BOX, 0
    scene = Solids(
        shape=shape.astype(np.uint8),
        centre=centre.astype(np.float32),
        half=half.astype(np.float32),
        cos=np.cos(yaw).astype(np.float32),
        sin=np.sin(yaw).astype(np.float32),
    )
    beam = rays(Viewpoint(x=2.3, y=0.4, z=1.4, yaw=0.2, pitch=0.3, roll=0.05), 80)
    hits = cast(beam, scene, 1)

    assert set(shape[np.unique(hits.solid)]) == {BOX, CYLINDER, ELLIPSOID}
    way = np.stack([beam.x, beam.y, beam.z], -1).astype(np.float64)
    end = beam.origin + hits.depth[..., None] * way
    for number in np.unique(hits.solid):
        assert np.abs(size_at(scene, number, end[hits.solid == number]) - 1).max() < 1e-3
    for share in np.linspace(0.02, 0.99, 40):
        before = beam.origin + share * hits.depth[..., None] * way
        for number in range(1, count):
            assert size_at(scene, number, before).min() > 0.97  # the ends of flat solids are a share 0.01 deep


def test_what_hangs_flat_on_a_wall_does_not_show_in_depth() -> None:
    flat, stands = set(), 0.0
    for number in range(1, 61):
        room = furnish(1, number)
        beam = rays(room.view, 96)
        built = solids(room.parts)
        seen = cast(beam, built, SHELL)
        bare = cast(beam, solids(room.parts[:SHELL]), SHELL)
        names = np.array([part.name for part, _ in room.parts])[seen.solid]
        for name in FLAT:
            here = (names == name) & (bare.depth > 0)
            hung = np.array([part.half[0] < 0.02 or part.half[1] < 0.02 for part, _ in room.parts])[seen.solid]
            if (here & hung).any():
                flat.add(name)
                assert np.quantile((bare.depth - seen.depth)[here & hung], 0.9) < 0.06
        stands = max(stands, float((bare.depth - seen.depth)[names == "cabinet"].max(initial=0)))
    assert flat == set(FLAT)
    assert stands > 0.3


def test_no_two_objects_labels_touch() -> None:
    for frame in frames(12):
        thing = frame.label.astype(int) * 256 + frame.instances
        for one, other in ((thing[1:], thing[:-1]), (thing[:, 1:], thing[:, :-1])):
            assert not ((one != other) & (one > 0) & (other > 0)).any()
        np.testing.assert_array_equal(frame.label == 0, frame.instances == 0)
        assert frame.label.max() <= 894


def test_shares_of_unlabelled_pixels_missing_depth_and_large_classes() -> None:
    shown = frames(60, 96)
    labels = np.concatenate([MAP_CLASS[frame.label[frame.label > 0] - 1] for frame in shown])
    share = np.bincount(labels, minlength=41) / len(labels)

    assert 0.1 < np.mean([(frame.label == 0).mean() for frame in shown]) < 0.25
    assert 0.1 < np.mean([(frame.raw_depth == 0).mean() for frame in shown]) < 0.25
    assert {CLASSES[label - 1] for label in np.argsort(-share)[:5]} >= {"wall", "floor", "cabinet"}
    assert share.max() < 0.45


def test_raw_depth_is_the_in_painted_one_in_steps_of_disparity() -> None:
    for frame in frames(12):
        depth, raw = frame.depth.astype(float), frame.raw_depth.astype(float)
        assert depth.min() >= 0.7 and depth.max() <= 10
        seen = raw > 0
        step = 1 / 8 / (580 * 0.075)  # of disparity: an eighth of a pixel
        assert np.abs(1 / raw[seen] - 1 / depth[seen]).max() < 0.55 * step  # in-painted depth has a grain of its own
        steps = 1 / raw[seen] / step
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)


def test_a_kinect_is_blind_left_of_what_stands_in_front() -> None:
    true = np.full((120, 160), 4.0, np.float32)
    true[40:80, 70:100] = 1.2
    rng = np.random.default_rng(0)
    seen = [measure(rng, true, np.ones_like(true), np.zeros(true.shape, bool))[1] for _ in range(20)]
    blind = np.mean([raw == 0 for raw in seen], axis=0)

    assert blind[42:78, 66:69].min() == 1
    assert blind[42:78, 102:110].mean() < 0.2 and blind[42:78, 50:60].mean() < 0.2


def test_noise_grows_with_the_square_of_distance() -> None:
    rng = np.random.default_rng(0)
    spread = {}
    for metres in (1.5, 3.0, 6.0):
        true = np.full((120, 160), metres, np.float32)
        depth, _ = measure(rng, true, np.ones_like(true), np.zeros(true.shape, bool))
        spread[metres] = float(depth.std())
    assert spread[3.0] / spread[1.5] == pytest.approx(4, rel=0.15)
    assert spread[6.0] / spread[3.0] == pytest.approx(4, rel=0.15)
    assert spread[3.0] < 0.01


def test_furniture_shares_its_colours_across_classes_but_flat_things_keep_their_texture() -> None:
    decors = [Decor(np.random.default_rng(seed)) for seed in range(200)]
    kept = {
        name: np.unique([decor.finish(name).texture for decor in decors], return_counts=True)[1].max() / 200
        for name in ("cabinet", "bed", "desk", "whiteboard", "picture", "floor mat")
    }
    assert max(kept[name] for name in ("cabinet", "bed", "desk")) < 0.85
    assert min(kept[name] for name in ("whiteboard", "picture", "floor mat")) > 0.85


def test_raw_names_are_894_and_fall_to_the_40_classes_as_published() -> None:
    assert len(set(RAW)) == len(RAW) == 894
    counts = np.bincount(MAP_CLASS, minlength=41)[1:]
    np.testing.assert_array_equal(counts, [1] * 37 + [68, 82, 707])
    assert [CLASSES[MAP_CLASS[RAW_LABEL[name] - 1] - 1] for name in ("wall", "ottoman", "cup", "column")] == [
        *("wall", "otherfurniture", "otherprop", "otherstructure"),
    ]
    assert (np.diff(MAP_CLASS.astype(int)) < 0).any()  # a reader that skips the mapping reads nonsense


def frames(count: int, side: int = 160) -> list[Frame]:
    return [render(1, number, side) for number in range(1, count + 1)]


def size_at(scene: Solids, number: int, point: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far out a point lies in a solid's own measure: 1 on its surface."""
    away = point - scene.centre[number].astype(float)
    cos, sin = float(scene.cos[number]), float(scene.sin[number])
    x, y = cos * away[..., 0] + sin * away[..., 1], cos * away[..., 1] - sin * away[..., 0]
    x, y, z = (np.abs(p / half) for p, half in zip((x, y, away[..., 2]), scene.half[number].astype(float), strict=True))
    if scene.shape[number] == BOX:
        return np.maximum(np.maximum(x, y), z)
    return np.sqrt(x * x + y * y + z * z) if scene.shape[number] == ELLIPSOID else np.maximum(np.hypot(x, y), z)
