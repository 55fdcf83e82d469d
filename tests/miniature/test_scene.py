"""Rays end where they should, the nearest is seen, and each world shows what its labels say."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.miniature.shared import outdoors, photo, rooms, shapes, textures
from pipeline.miniature.shared.camera import Camera
from pipeline.miniature.shared.chance import Chance
from pipeline.miniature.shared.scene import Finish, Frame, Part, Scene

SOLIDS = {name: shape for name, shape in vars(shapes).items() if isinstance(shape, shapes.Shape)}
RED = Finish((0.5, 0.0, 0.0), (1.0, 0.0, 0.0))


def camera(side: int = 64) -> Camera:
    return Camera(height=side, width=side, focal=side, cx=side / 2, cy=side / 2, eye=(0.0, 0.0, 1.5))


@pytest.mark.parametrize("name", SOLIDS)
def test_rays_end_on_the_surface_and_normals_face_the_eye(name: str) -> None:
    shape, rng = SOLIDS[name], np.random.default_rng(1)
    o = (0.3, -4.0, 2.0)
    aim = rng.uniform(-1.1, 1.1, (3, 4000))
    d = tuple(aim[k] - o[k] for k in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        t, face = shapes.meet(shape, o, (d[0], d[1], d[2]))
    hit = np.isfinite(t)
    assert hit.mean() > 0.02
    x, y, z = (o[k] + t[hit] * d[k][hit] for k in range(3))
    assert max(np.abs(x).max(), np.abs(y).max(), np.abs(z).max()) < 1 + 1e-9
    if shape.family == "flat":
        assert np.abs(z).max() < 1e-9
    if shape.family == "ball":
        np.testing.assert_allclose(x * x + y * y + z * z, 1)
    normal = shapes.normal(shape, face[hit], x, y, z)
    towards = sum(n * d[k][hit] for k, n in enumerate(normal))
    assert (towards < 1e-9).all()


def test_what_is_nearer_is_seen_whatever_is_painted_first() -> None:
    near, far = Frame((0.0, 4.0, 1.5)), Frame((1.2, 6.0, 1.5))
    views = []
    for order in ((1, 2), (2, 1)):
        scene = Scene(camera(), (0.0, -1.0, 1.0))
        for number in order:
            scene.paint(Part(shapes.BALL, (0, 0, 0), (1, 1, 1)), RED, near if number == 1 else far, number, number)
        views.append(scene)
    np.testing.assert_array_equal(views[0].label, views[1].label)
    np.testing.assert_array_equal(views[0].color, views[1].color)
    assert views[0].depth[32, 32] == pytest.approx(3.0, abs=0.01) and set(np.unique(views[0].label)) == {0, 1, 2}


def test_noise_repeats_without_a_seam() -> None:
    x = np.linspace(0, 1, 50)
    np.testing.assert_array_equal(textures.mottle(x, x), textures.mottle(x + 3, x - 2))
    tile = textures.tile()
    assert np.abs(tile[:, 0] - tile[:, -1]).max() <= 2 * np.abs(np.diff(tile, axis=1)).max()


def test_a_photo_shows_its_front_class_and_voids_its_rims() -> None:
    for number in range(20):
        shown = photo.photo(1, f"2007_{number:06d}", 72, 96)
        assert (shown.label == number + 1).sum() > 50
        assert 0 < shown.void.mean() < 0.3
        np.testing.assert_array_equal(shown.label == 0, shown.instances == 0)


def test_a_kinect_is_blind_left_of_what_stands_in_front_and_noisier_far_away() -> None:
    true = np.full((120, 160), 4.0)
    true[40:80, 70:100] = 1.2
    raws = [rooms.measure(Chance(k, "kinect"), true, np.zeros(true.shape, bool))[1] for k in range(12)]
    blind = np.mean([raw == 0 for raw in raws], axis=0)
    assert blind[42:78, 66:69].min() == 1
    assert blind[42:78, 102:110].mean() < 0.4 and blind[42:78, 50:60].mean() < 0.4
    spread = [
        float(rooms.measure(Chance(1, "kinect"), np.full((60, 80), metres), np.zeros((60, 80), bool))[0].std())
        for metres in (1.5, 3.0, 6.0)
    ]
    assert spread[1] / spread[0] == pytest.approx(4, rel=0.2) and spread[2] / spread[1] == pytest.approx(4, rel=0.2)


def test_geometry_follows_from_the_class_and_classes_can_be_kept_out() -> None:
    seen: set[int] = set()
    for number in range(96):
        name = f"{outdoors.KINDS[number % 8]}_natu{number}"
        shown = outdoors.view(7, name, 64, frozenset({"moon"}))
        both = (shown.semantic > 0) & (shown.geometric > 0)
        np.testing.assert_array_equal(shown.geometric[both], outdoors.FACING[shown.semantic[both]])
        assert both.mean() > 0.6
        seen |= set(np.unique(shown.semantic).tolist())
    assert seen == set(range(34)) - {outdoors.CODE["moon"]}
    facing = {name: int(outdoors.FACING[outdoors.CODE[name]]) for name in ("sky", "sun", "road", "sea", "building")}
    assert facing == {"sky": 1, "sun": 1, "road": 2, "sea": 2, "building": 3}
