"""The miniature NYUDv2 lies in the original's file formats, and the project's own reader makes sense of it."""

import io
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, whosmat
from scipy.ndimage import binary_erosion

from pipeline.core.types import Refusal
from pipeline.datasets import nyud as reader
from pipeline.miniature import nyud
from pipeline.miniature.nyud import CLASSES
from pipeline.miniature.shared import rooms
from pipeline.miniature.shared.chance import Chance

REAL = Path(__file__).parents[3] / "shared/real"
MAT = "nyu_depth_v2_labeled.mat"
RAW, MAP_CLASS = nyud.raw_names()


def test_the_hdf5_file_is_laid_out_as_matlab_s(tmp_path: Path) -> None:
    nyud.render(tmp_path, seed=3, side=64, train=3, val=2, test=2)

    block = (tmp_path / MAT).read_bytes()[:512]
    assert block.startswith(b"MATLAB 7.3 MAT-file, ") and block[124:128] == b"\x00\x02IM"
    assert block[128:] == bytes(512 - 128)
    layout = {
        "images": ((7, 3, 64, 48), "uint8", "uint8"),
        "depths": ((7, 64, 48), "float32", "single"),
        "rawDepths": ((7, 64, 48), "float32", "single"),
        "labels": ((7, 64, 48), "uint16", "uint16"),
        "instances": ((7, 64, 48), "uint8", "uint8"),
    }
    with h5py.File(tmp_path / MAT) as file:
        assert file.userblock_size == 512 and file["accelData"].shape == (4, 7)
        for name, (shape, dtype, matlab) in layout.items():
            assert (file[name].shape, file[name].dtype) == (shape, dtype)
            assert file[name].attrs["MATLAB_class"] == matlab.encode()
            assert file[name].chunks == (1, *shape[1:]) and file[name].compression == "gzip"
        assert strings(file, "names") == list(RAW)
        scenes, types = strings(file, "scenes"), strings(file, "sceneTypes")
        assert scenes == [f"{scene_type}_{number:04d}" for number, scene_type in enumerate(types, 1)]
        assert set(types) == {"kitchen", "bedroom", "bathroom", "living_room", "office", "classroom"}
        for name in ("rawRgbFilenames", "rawDepthFilenames"):
            assert [path.split("/")[0] for path in strings(file, name)] == scenes
        first = file[file["names"][0, 0]]
        assert first.name.startswith("/#refs#/") and first.dtype == np.uint16 and first.shape == (len(RAW[0]), 1)
        assert first.attrs["MATLAB_class"] == b"char" and first.attrs["MATLAB_int_decode"] == 2
        assert file["names"].attrs["MATLAB_class"] == b"cell" and file["names"].shape == (1, 894)


def test_raw_names_are_894_and_fall_to_the_40_classes_as_published(tmp_path: Path) -> None:
    assert len(set(RAW)) == len(RAW) == 894
    np.testing.assert_array_equal(np.bincount(MAP_CLASS, minlength=41)[1:], [1] * 37 + [68, 82, 707])
    assert (np.diff(MAP_CLASS.astype(int)) < 0).any()  # a reader that skips the mapping reads nonsense

    nyud.render(tmp_path, seed=3, side=32, train=1, val=1, test=1)
    mapping = loadmat(tmp_path / "classMapping40.mat")
    assert [str(name[0]) for name in mapping["className"][0]] == list(CLASSES)
    assert [str(name[0]) for name in mapping["allClassName"][0]] == list(RAW)
    np.testing.assert_array_equal(mapping["mapClass"], MAP_CLASS[None, :])
    if not REAL.is_dir():
        pytest.skip("no real data here")
    real = loadmat(REAL / "classMapping40.mat")
    for name in ("className", "mapClass", "allClassName"):
        assert (mapping[name].shape, mapping[name].dtype) == (real[name].shape, real[name].dtype)
    assert [name for name, _, _ in whosmat(tmp_path / "splits.mat")] == ["trainNdxs", "testNdxs"]


def test_every_class_occurs_in_trainval_and_in_test(tmp_path: Path) -> None:
    nyud.render(tmp_path, seed=7, side=64, train=80, val=40, test=60)

    splits = loadmat(tmp_path / "splits.mat")
    with h5py.File(tmp_path / MAT) as file:
        labels, raw_depths = file["labels"][:], file["rawDepths"][:]
    for name in ("trainNdxs", "testNdxs"):
        raw = labels[splits[name][:, 0] - 1]
        assert set(MAP_CLASS[raw[raw > 0] - 1]) == set(range(1, 41))
    assert 0.05 < (labels == 0).mean() < 0.25 and 0.05 < (raw_depths == 0).mean() < 0.25


def test_the_project_s_reader_sees_rooms_with_their_floors_down(tmp_path: Path) -> None:
    nyud.render(tmp_path, seed=3, side=160, train=8, val=4, test=4)

    leans: list[float] = []
    heights: list[float] = []
    for name, parts in reader.read(tmp_path, [*reader.ids(tmp_path, "trainval"), *reader.ids(tmp_path, "test")]):
        sample = reader.sample(name, parts)
        maps = {column: np.array(Image.open(io.BytesIO(image.bytes))) for column, image in sample.images.items()}
        label = np.array(Image.open(io.BytesIO(sample.labels["semantic"].bytes)))
        # within the 7×7 window of the normals nothing but floor, or wall
        floor, wall = (binary_erosion(label == CLASSES.index(name), iterations=4) for name in ("floor", "wall"))
        for here, angle in ((floor, 38), (wall, 128)):  # degrees between gravity and the normal, plus 38
            if here.sum() > 300:
                leans.append(abs(float(np.median(maps["hha"][here, 2])) - angle))
        if floor.sum() > 300:
            heights.append(float(np.median(maps["hha"][floor, 1])))
    assert len(heights) >= 3 and max(heights) < 12  # centimetres above the lowest point
    assert np.median(leans) <= 2 and max(leans) <= 6  # what furniture hides throws the search for gravity off a little


@pytest.mark.parametrize(("side", "each", "culprit"), [(66, 1, "nyud.side"), (64, 0, "nyud.counts")])
def test_a_world_that_cannot_be_is_refused(tmp_path: Path, side: int, each: int, culprit: str) -> None:
    with pytest.raises(Refusal, match=rf"miniatures\.{culprit}"):
        nyud.render(tmp_path, seed=3, side=side, train=each, val=each, test=each)
    assert list(tmp_path.iterdir()) == []


def strings(file: h5py.File, name: str) -> list[str]:
    return [file[reference][:, 0].tobytes().decode("utf-16-le") for reference in file[name][0]]


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
