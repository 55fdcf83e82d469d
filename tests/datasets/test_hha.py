"""HHA is MATLAB's to the bit, and true of rooms whose floor, walls and ceiling are known."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import maximum_filter, minimum_filter

from pipeline.core.types import Refusal
from pipeline.datasets.shared.hha import KINECT, Intrinsics, hha

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared/real/hha"
FLOOR, WALL, CEILING = 0, 1, 2
real = pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/real")


def slopes(camera: Intrinsics, height: int, width: int, pitch: float) -> tuple[np.ndarray, np.ndarray]:
    """How far each pixel's ray, 1 long in z, goes down and forward, when the camera looks ``pitch`` degrees down."""
    x, y = camera.rays(height, width)
    sin, cos = math.sin(math.radians(pitch)), math.cos(math.radians(pitch))
    return y * cos + sin + 0 * x, cos - y * sin + 0 * x


def room(camera: Intrinsics, height: int, width: int, pitch: float) -> tuple[np.ndarray, np.ndarray]:
    """Metres to a floor 1.5 m below, a wall 4 m before and a ceiling 1.2 m above the camera; and which it is."""
    down, forward = slopes(camera, height, width, pitch)
    with np.errstate(divide="ignore"):
        ways = np.stack([1.5 / np.maximum(down, 0), 4 / np.maximum(forward, 0), 1.2 / np.maximum(-down, 0)])
    return ways.min(0), ways.argmin(0)


def inside(surface: np.ndarray, radius: int) -> np.ndarray:
    """Pixels whose whole window shows one surface."""
    size = 2 * radius + 1
    return np.asarray(minimum_filter(surface, size) == maximum_filter(surface, size))


def rough(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A room's depth with noise, and a mask of single pixels and blots."""
    rng = np.random.default_rng(2015)
    depth = room(KINECT.scaled(width / 640), height, width, 20)[0] * rng.uniform(0.97, 1.03, (height, width))
    missing = rng.random((height, width)) < 0.3
    missing[5:24, 2:23] |= (rng.random((height, width)) < 0.9)[5:24, 2:23]
    return depth, missing


def by_the_pixel(depth: np.ndarray, missing: np.ndarray, camera: Intrinsics) -> np.ndarray:
    """facts.md's part F read slowly: one least-squares problem per pixel, in metric coordinates."""
    x, y = camera.rays(*depth.shape)
    points = np.stack([x + 0 * y, y + 0 * x, np.ones_like(depth)], -1) * (100 * depth)[..., None]

    def normal(row: int, column: int, radius: int) -> np.ndarray:
        window = np.s_[max(row - radius, 0) : row + radius + 1, max(column - radius, 0) : column + radius + 1]
        seen = points[window][~missing[window]]
        found, _, rank, _ = np.linalg.lstsq(seen / seen[:, 2:], 1 / seen[:, 2], rcond=1e-9)
        if rank < 3:
            return np.full(3, np.nan)
        found /= np.linalg.norm(found)
        return found if found @ points[row, column] >= 0 else -found

    fine, coarse = (np.array([normal(*at, radius) for at in np.ndindex(depth.shape)]) for radius in (3, 10))
    coarse = coarse[~np.isnan(coarse[:, 0])]
    gravity = start = np.array([0.0, 1.0, 0.0])
    for degrees in [45] * 5 + [15] * 5:
        cosine = abs(coarse @ gravity)
        floor, wall = coarse[cosine > np.cos(np.radians(degrees))], coarse[cosine < np.sin(np.radians(degrees))]
        least = np.linalg.eigh(wall.T @ wall - floor.T @ floor)[1][:, 0]
        gravity = least * np.sign(least @ gravity)
    axis = np.cross(start, gravity) / np.linalg.norm(np.cross(start, gravity))
    cross = np.cross(axis, np.eye(3)).T
    turn = np.arccos(gravity @ start)
    rotation = np.eye(3) + np.sin(turn) * cross + (1 - np.cos(turn)) * cross @ cross
    height = -(points @ rotation)[..., 1]
    height -= height.min() if height.min() <= -90 else -130
    angle = np.degrees(np.arccos(np.clip(fine @ gravity, -1, 1)))
    angle[np.isnan(angle)] = 180
    channels = [31000 / np.maximum(100 * depth, 100), height, angle.reshape(depth.shape) + 38]
    return np.floor(np.clip(channels, 0, 255) + 0.5).astype(np.uint8).transpose(1, 2, 0)


@real
def test_equals_matlab_to_the_bit() -> None:
    with Image.open(REAL / "0.png") as png, Image.open(REAL / "matlab_hha.png") as matlab:
        depth, want = np.array(png) / 10_000, np.array(matlab)
    assert want.size == 921_600
    assert np.array_equal(hha(depth, None, KINECT), want)
    assert np.array_equal(hha(depth, np.zeros(depth.shape, bool), KINECT), want)
    off = np.abs(hha(np.floor(1000 * depth + 0.5) / 1000, None, KINECT).astype(int) - want)  # stored in millimetres
    assert off.max(axis=(0, 1)).tolist() == [1, 1, 3] and (off.mean(axis=(0, 1)) < [0.01, 0.01, 0.16]).all()


def test_equals_the_recipe_done_pixel_by_pixel() -> None:
    depth, missing = rough(70, 24)  # more rows than a band
    camera = KINECT.scaled(24 / 640)
    assert np.array_equal(hha(depth, missing, camera), by_the_pixel(depth, missing, camera))
    assert np.array_equal(hha(depth, None, camera), by_the_pixel(depth, np.zeros_like(missing), camera))
    # Planes fitted to windows of chance may pass behind the camera at the pixel itself, and gravity never settles
    rng = np.random.default_rng(2014)
    depth, missing = np.exp(rng.uniform(-1, 2, (24, 32))), rng.random((24, 32)) < 0.85
    assert np.array_equal(hha(depth, missing, camera), by_the_pixel(depth, missing, camera))


@pytest.mark.parametrize("pitch", [-20, 0, 10, 40])
@pytest.mark.parametrize(
    ("camera", "height", "width"), [(KINECT.cropped(40, 45), 425, 560), (KINECT.scaled(0.5), 240, 320)]
)
def test_floor_is_38_wall_128_and_ceiling_218(camera: Intrinsics, height: int, width: int, pitch: float) -> None:
    depth, surface = room(camera, height, width, pitch)
    angle, kept = hha(depth, None, camera)[..., 2], inside(surface, 3)
    for which, value in ((FLOOR, 38), (WALL, 128), (CEILING, 218)):
        assert (angle[kept & (surface == which)] == value).all()
    assert len(np.unique(surface[kept])) >= 2


@pytest.mark.parametrize("pitch", [0.2, 10, 30])
def test_height_is_in_centimetres_above_the_lowest_point(pitch: float) -> None:
    """Four level planes; pixels missing between them, so that no normal mixes two and gravity is exact."""
    down, _ = slopes(KINECT, 480, 640, pitch)
    heights = np.repeat([0, 43, 78, 129], 160)[None, :]
    missing = np.zeros((480, 640), bool)
    for edge in (160, 320, 480):
        missing[:, edge - 10 : edge + 10] = True
    below = slice(320, None)  # the rows that look down
    depth = (150 - heights) / down[below] / 100
    camera = KINECT.cropped(0, 320)
    image = hha(depth, missing[below], camera)
    assert (image[..., 1] == heights).all()
    assert (image[..., 2][~missing[below]] == 38).all()


@pytest.mark.parametrize(("below", "height"), [(250, 0), (91, 0), (89, 41), (50, 80)])
def test_a_floor_less_than_90_cm_below_the_camera_stands_130_cm_below_it_instead(below: int, height: int) -> None:
    down, _ = slopes(KINECT, 480, 640, 30)
    image = hha(below / down / 100, None, KINECT)
    assert np.unique(image[..., 1]).tolist() == [height]


@pytest.mark.parametrize(("pitch", "turn"), [(0, 0), (0, 20), (15, 0), (-20, 35)])
def test_along_a_wall_alone_gravity_is_what_comes_nearest_to_the_cameras_own(pitch: float, turn: float) -> None:
    """Every direction along the wall is as much across its normal; which one an eigensolver gives is chance."""
    p, t = math.radians(pitch), math.radians(turn)
    normal = np.array([math.sin(t), -math.cos(t) * math.sin(p), math.cos(t) * math.cos(p)])
    gravity = np.array([0, 1, 0]) - normal[1] * normal
    gravity /= np.linalg.norm(gravity)
    camera = KINECT.scaled(0.1)
    x, y = camera.rays(48, 64)
    depth = 2.5 / (normal[0] * x + normal[1] * y + normal[2])
    height = -100 * depth * (gravity[0] * x + gravity[1] * y + gravity[2])
    height -= height.min() if height.min() <= -90 else -130
    image = hha(depth, None, camera)
    assert (image[..., 2] == 128).all()
    assert np.array_equal(image[..., 1], np.clip(np.floor(height + 0.5), 0, 255))


def test_gravity_stays_where_only_a_level_direction_lies_in_all_surfaces() -> None:
    """A wall over a slope of 55 degrees, which passes for a wall, too: across both there is only left or right."""
    camera = KINECT.scaled(0.25)
    _, y = camera.rays(120, 160)
    depth = np.tile(3 / (1 + math.tan(math.radians(35)) * np.maximum(y, 0)), (1, 160))
    surface = (depth < 3).astype(int)
    angle, kept = hha(depth, None, camera)[..., 2], inside(surface, 3)
    assert (angle[kept] == np.array([128, 38 + 55])[surface[kept]]).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 100), (65, 2)])
def test_maps_smaller_than_a_window_are_maps(shape: tuple[int, int]) -> None:
    angle = hha(np.full(shape, 2.0), None, KINECT)[..., 2]
    assert angle.shape == shape
    assert (angle == (128 if min(shape) > 1 else 218)).all()


def test_a_crop_and_a_smaller_frame_see_along_the_same_rays() -> None:
    x, y = KINECT.rays(480, 640)
    left, top = KINECT.cropped(40, 45).rays(425, 560)
    assert np.allclose(left, x[:, 40:600], rtol=0, atol=1e-15)
    assert np.allclose(top, y[45:470], rtol=0, atol=1e-15)
    half, down = KINECT.scaled(0.5).rays(240, 320)
    assert np.allclose(half, (x[:, ::2] + x[:, 1::2]) / 2, rtol=0, atol=1e-15)
    assert np.allclose(down, (y[::2] + y[1::2]) / 2, rtol=0, atol=1e-15)


def test_refusals_name_the_culprit_and_the_remedy() -> None:
    flat = np.full((4, 6), 2.0)
    for value, said in ((0.0, "0 m"), (-1.5, "-1.5 m"), (np.nan, "nan m"), (np.inf, "inf m"), (2550.0, "2550 m")):
        depth = flat.copy()
        depth[1, 4] = depth[3, 0] = value
        remedy = "give metres" if value == 2550 else "in-paint"
        with pytest.raises(Refusal, match=f"^a depth of {said} at row 1, column 4: {remedy}[^\n]*$"):
            hha(depth, None, KINECT)
    for wrong in (flat.astype(np.float32), (1000 * flat).astype(np.uint16), flat[0], flat[..., None], flat[:0]):
        with pytest.raises(Refusal, match=r"expected H×W float64 in metres: divide millimetres by 1000$"):
            hha(wrong, None, KINECT)
    for mask in (np.zeros((4, 6), np.uint8), np.zeros((6, 4), bool)):
        with pytest.raises(Refusal, match=r"expected bool \(4, 6\): give raw depth == 0$"):
            hha(flat, mask, KINECT)
    with pytest.raises(Refusal, match="focal lengths 0 and 0 must be positive"):
        KINECT.scaled(0)
