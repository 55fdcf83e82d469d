"""NYUDv2's frames come out of MATLAB's file as Gupta and the authors cropped them, one at a time."""

import io
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from pipeline.core.png import png
from pipeline.core.types import Refusal, Sample
from pipeline.datasets import nyud
from pipeline.datasets.shared import gupta
from pipeline.datasets.shared.hha import KINECT, hha
from tests.shards.world import tarred

REAL = Path(__file__).parents[2].parent / "shared/real"
HEIGHT, WIDTH = 120, 160  # a quarter of the Kinect's frame
CROP = (slice(11, 118), slice(10, 150))


def pack(raw: Path, frames: int = 4, **replaced: np.ndarray) -> dict[str, np.ndarray]:
    """A labelled set in the original's axes; odd frames are trainval, even ones test. Returns its maps."""
    raw.mkdir(exist_ok=True)
    rng = np.random.default_rng(5)
    slope = np.linspace(1.5, 4.0, HEIGHT, dtype=np.float32)[:, None] * np.ones((1, WIDTH), np.float32)
    maps = {
        "images": rng.integers(0, 256, (frames, HEIGHT, WIDTH, 3), np.uint8),
        "depths": np.stack([slope + np.float32(0.1) * frame for frame in range(frames)]),
        "labels": rng.integers(0, 895, (frames, HEIGHT, WIDTH), np.uint16),
    }
    maps["rawDepths"] = np.where(rng.random(maps["depths"].shape) < 0.2, 0, maps["depths"]).astype(np.float32)
    maps |= replaced
    with h5py.File(raw / nyud.FILE, "w", userblock_size=512) as file:
        for name, values in maps.items():
            file[name] = values.transpose(0, 3, 2, 1) if name == "images" else values.transpose(0, 2, 1)
    numbers = np.arange(1, frames + 1, dtype=np.uint16)[:, None]
    savemat(raw / "splits.mat", {"trainNdxs": numbers[::2], "testNdxs": numbers[1::2]})
    mapping = (np.arange(894)[None] % 40 + 1).astype(np.uint8)
    savemat(raw / "classMapping40.mat", {"mapClass": mapping})
    return maps


def first(raw: Path, name: str = "5001") -> Sample:
    ((_, parts),) = nyud.read(raw, [name])
    return nyud.sample(name, parts)


def decoded(sample: Sample, column: str) -> np.ndarray:
    encoded = {**sample.images, **sample.labels}[column]
    with Image.open(io.BytesIO(encoded.bytes)) as image:
        return np.array(image)


def test_a_sample_is_the_authors_crop_of_every_map(tmp_path: Path) -> None:
    maps = pack(tmp_path)
    for frame in (0, 3):
        sample = first(tmp_path, str(5001 + frame))
        color, depth, raw, labels = (maps[name][frame][CROP] for name in ("images", "depths", "rawDepths", "labels"))
        assert (sample.height, sample.width) == (107, 140)
        assert np.array_equal(decoded(sample, "color"), color)
        millimetres = decoded(sample, "depth")
        assert millimetres.dtype == np.uint16
        assert np.abs(millimetres - 1000 * depth.astype(float)).max() <= 0.5
        assert np.array_equal(decoded(sample, "missing"), np.where(raw == 0, 255, 0))
        expected = np.where(labels == 0, 255, (labels.astype(int) - 1) % 40)
        assert np.array_equal(decoded(sample, "semantic"), expected)
        camera = KINECT.scaled(0.25).cropped(10, 11)
        assert np.array_equal(decoded(sample, "hha"), hha(millimetres / 1000, raw == 0, camera))
        assert sample.images["hha"].path == f"img_{5001 + frame}.png"


def test_a_whole_kinect_frame_becomes_425_by_560_and_another_shape_is_refused() -> None:
    assert nyud._window(Path("x.mat"), (480, 640)) == (45, 470, 40, 600)
    with pytest.raises(Refusal, match=r"x\.mat has frames of 480×600, a Kinect's are 480×640"):
        nyud._window(Path("x.mat"), (480, 600))


def test_millimetres_round_halves_up_as_matlab() -> None:
    depth = np.array([[0.0005, 1.0, 2.0625, 65.535]], np.float32)
    assert nyud._millimetres("x", depth).tolist() == [[1, 1000, 2063, 65535]]


def test_ids_follow_splits_mat_and_the_authors_cut_follows_their_lists(tmp_path: Path) -> None:
    pack(tmp_path, 6)
    assert nyud.splits(tmp_path) == ("trainval", "test")
    assert nyud.ids(tmp_path, "trainval") == ["5001", "5003", "5005"]
    assert nyud.ids(tmp_path, "test") == ["5002", "5004", "5006"]
    (tmp_path / "train.txt").write_text("5005\n5001")  # no newline at the end, as published
    with pytest.raises(Refusal, match=r"has train\.txt alone: give both"):
        nyud.splits(tmp_path)
    (tmp_path / "val.txt").write_text("5003\n")
    assert nyud.splits(tmp_path) == ("trainval", "test", "train", "val")
    assert [nyud.ids(tmp_path, split) for split in ("train", "val")] == [["5005", "5001"], ["5003"]]
    for text, stray in (("5003\n5001", "5001"), ("5002", "5002")):
        (tmp_path / "val.txt").write_text(text)
        with pytest.raises(Refusal, match=f"{stray} of train.txt or val.txt is not in trainval, or is in both"):
            nyud.ids(tmp_path, "val")


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"depths": np.zeros((4, HEIGHT, WIDTH), np.float32)}, r"depths of frame 1 are 0\.0 m at row 0, column 0"),
        ({"depths": np.full((4, HEIGHT, WIDTH), np.nan, np.float32)}, r"depths of frame 1 are nan m at row 0"),
        ({"labels": np.full((4, HEIGHT, WIDTH), 895, np.uint16)}, r"frame 1 has label 895, there are 894"),
        ({"labels": np.ones((4, HEIGHT, WIDTH), np.uint8)}, r"labels is uint8 \(4, 160, 120\), expected uint16"),
        ({"depths": np.ones((3, HEIGHT, WIDTH), np.float32)}, r"depths is float32 \(3, .*frames first"),
    ],
    ids=["zero depth", "nan depth", "label", "dtype", "frames"],
)
def test_a_frame_that_cannot_be_is_refused(tmp_path: Path, replaced: dict[str, np.ndarray], message: str) -> None:
    pack(tmp_path, **replaced)
    with pytest.raises(Refusal, match=message):
        first(tmp_path)


def test_a_broken_file_is_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"nyu_depth_v2_labeled\.mat is missing: run its download"):
        first(tmp_path)
    pack(tmp_path)
    path = tmp_path / nyud.FILE
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Refusal, match=r"is no HDF5 file or is truncated \(.*\): fetch it again"):
        first(tmp_path)
    path.write_text("<html>403</html>")
    with pytest.raises(Refusal, match="is no HDF5 file"):
        first(tmp_path)
    with h5py.File(path, "w") as file:
        file["images"] = np.zeros((1, 3, 4, 3), np.uint8)
    with pytest.raises(Refusal, match=r"has no depths, it has images: is it NYUDv2's labelled set\?"):
        first(tmp_path)


def test_other_shapes_and_lists_are_refused(tmp_path: Path) -> None:
    pack(tmp_path)
    with pytest.raises(Refusal, match="holds frames 5001 to 5004, not 5005"):
        first(tmp_path, "5005")
    savemat(tmp_path / "classMapping40.mat", {"mapClass": np.full((1, 894), 41, np.uint8)})
    with pytest.raises(Refusal, match="mapClass must take 894 labels to 1–40"):
        first(tmp_path)
    (tmp_path / "splits.mat").write_text("no mat")
    with pytest.raises(Refusal, match=r"splits\.mat has no readable testNdxs"):
        nyud.ids(tmp_path, "test")


def prepared(raw: Path, root: str, **replaced: bytes) -> list[Sample]:
    """The authors' archive of what the raw set's four frames become, packed folder by folder; those frames."""
    pack(raw / "raw")
    frames = [first(raw / "raw", str(5001 + frame)) for frame in range(4)]
    members = {}
    for part, member in gupta.MEMBERS.items():
        for frame in frames:
            savemat(file := io.BytesIO(), {"segmentation": decoded(frame, "semantic") + np.uint8(1)})  # 255 becomes 0
            data = file.getvalue() if part == "semantic" else frame.images[part].bytes
            members[root + member.format(frame.id)] = replaced.get(part, data)
    tarred(raw / gupta.ARCHIVE, members, "w:gz")
    for split, text in {"train": "5004\n5001", "val": "5003", "test": "5002\n"}.items():
        (raw / f"{split}.txt").write_text(text)
    return frames


@pytest.mark.parametrize("root", ["", "./data/nyud/"])
def test_the_authors_archive_is_read_where_it_lies_and_gives_what_the_raw_set_gives(tmp_path: Path, root: str) -> None:
    frames = prepared(tmp_path, root)
    assert nyud.splits(tmp_path) == ("trainval", "test", "train", "val")
    assert [nyud.ids(tmp_path, split) for split in ("trainval", "test")] == [["5001", "5003", "5004"], ["5002"]]
    read = dict(nyud.read(tmp_path, ["5004", "5002"]))
    assert sorted(read) == ["5002", "5004"]
    for name, parts in read.items():
        sample, raw = nyud.sample(name, parts), frames[int(name) - 5001]
        assert (sample.height, sample.width, sample.labels) == (raw.height, raw.width, raw.labels)
        assert {part: sample.images[part] for part in ("color", "depth", "hha")} == {
            part: raw.images[part] for part in ("color", "depth", "hha")
        }
        assert list(sample.images) == list(raw.images) and not decoded(sample, "missing").any()


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"semantic": b"MATLAB 5.0 MAT-file, and nothing"}, r"img_5001\.mat has no readable segmentation"),
        ({"depth": png(np.zeros((107, 140), np.uint16))}, r"img_5001\.png: depth is 0 somewhere"),
        ({"hha": png(np.zeros((107, 139, 3), np.uint8))}, r"hha is \(107, 139\), its label \(107, 140\)"),
    ],
)
def test_a_doubtful_frame_of_the_authors_archive_is_refused(
    tmp_path: Path, replaced: dict[str, bytes], message: str
) -> None:
    prepared(tmp_path, "", **replaced)
    with pytest.raises(Refusal, match=message):
        first(tmp_path)
    pack(tmp_path)
    with pytest.raises(Refusal, match=r"holds nyud\.tar\.gz and nyu_depth_v2_labeled\.mat: remove the one"):
        nyud.splits(tmp_path)


def test_another_archive_is_not_taken_for_the_authors(tmp_path: Path) -> None:
    tarred(tmp_path / gupta.ARCHIVE, {"a/b.txt": b"1"}, "w:gz")
    with pytest.raises(Refusal, match=r"must have one folder data/images, found 0: is it the authors' NYUDv2\?"):
        first(tmp_path)


@pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/real")
def test_the_published_splits_and_classes_are_ours(tmp_path: Path) -> None:
    assert [len(nyud.ids(REAL, split)) for split in ("trainval", "test")] == [795, 654]
    assert sorted(nyud.ids(REAL, "trainval") + nyud.ids(REAL, "test")) == [str(5000 + n) for n in range(1, 1450)]
    names = nyud._matrix(REAL / "classMapping40.mat", "className").ravel()
    assert tuple(str(name[0]) for name in names) == nyud.LABEL.classes
    raw = [str(name[0]) for name in nyud._matrix(REAL / "classMapping40.mat", "allClassName").ravel()]
    classes = nyud._classes(REAL / "classMapping40.mat")
    assert classes[0] == 255
    for name in ("wall", "floor mat", "refridgerator", "shower curtain"):
        assert nyud.LABEL.classes[classes[1 + raw.index(name)]] == name
