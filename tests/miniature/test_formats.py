"""The miniature originals lie as the true ones do, and agree on what they share; leaves are a folder of pairs."""

import io
import subprocess
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat

from pipeline.convert.check_folder import check
from pipeline.core.types import Refusal
from pipeline.datasets import siftflow as reader
from pipeline.miniature import imagenet, leaves, sbd, siftflow, voc
from pipeline.miniature.shared import outdoors, photo
from pipeline.miniature.shared.things import NAMES

TAR = "VOCtrainval_11-May-2012.tar"


def test_torchvision_reads_voc(tmp_path: Path) -> None:
    from torchvision.datasets import VOCSegmentation

    voc.render(tmp_path, seed=3, side=64, train=3, val=6, held_out=4)
    subprocess.run(["tar", "-xf", str(tmp_path / TAR), "-C", str(tmp_path)], check=True)

    samples = VOCSegmentation(str(tmp_path), year="2012", image_set="trainval", download=False)
    assert len(samples) == 9
    for image, label in samples:
        assert image.mode == "RGB" and label.mode == "P" and image.size == label.size and max(image.size) == 64
        values = set(np.unique(np.asarray(label)))
        assert values <= {*range(21), 255} and values & set(range(1, 21)) and 255 in values


def test_torchvision_reads_sbd(tmp_path: Path) -> None:
    from torchvision.datasets import SBDataset

    root = unpacked(tmp_path)
    for split, count in (("train", 12), ("val", 2)):
        samples = SBDataset(str(root), image_set=split, mode="segmentation")
        assert len(samples) == count
        for image, label in samples:
            assert image.mode == "RGB" and image.size == label.size and 1 <= np.asarray(label).max() <= 20
    _, boundaries = SBDataset(str(root), image_set="val", mode="boundaries")[0]
    assert boundaries.shape[0] == 20 and boundaries.any()


def test_photographs_shared_with_sbd_are_the_same_bytes(tmp_path: Path) -> None:
    voc.render(tmp_path / "voc", seed=3, side=64, train=4, val=6, held_out=4)
    sbd.render(tmp_path / "sbd", seed=3, side=64, train=40, val=2, held_out=4)

    with tarfile.open(tmp_path / "voc" / TAR) as ours, tarfile.open(tmp_path / "sbd/benchmark.tgz") as theirs:
        here, there = photographs(ours), photographs(theirs)
    assert len(here.keys() & there.keys()) == 4  # two of VOC train, two of VOC val
    assert all(here[name] == there[name] for name in here.keys() & there.keys())
    held_out = (tmp_path / "voc/seg11valid.txt").read_bytes()
    assert held_out == (tmp_path / "sbd/seg11valid.txt").read_bytes()
    assert not set(held_out.decode().split()) & there.keys()


def test_no_image_is_trained_on_that_is_held_out_and_voc_splits_are_disjoint() -> None:
    train, val = set(photo.voc_train(1, 60)), set(photo.voc_val(1, 150, 100))
    trained = set(photo.sbd_train(1, 600, 100))
    assert set(photo.seg11valid(1, 100)) == val - trained
    assert len(val & trained) == 50 and len(train & trained) == 30 and not train & val
    assert not set(photo.sbd_val(1, 20)) & (trained | train | val)


@pytest.mark.parametrize(
    ("names", "count", "least"), [(photo.seg11valid(1, 100), 100, 5), (photo.sbd_train(1, 600, 100), 600, 28)]
)
def test_every_class_stands_in_front_in_every_split(names: list[str], count: int, least: int) -> None:
    fronts = Counter(int(name[-6:]) % len(NAMES) for name in names)

    assert len(set(names)) == count and names == sorted(names)
    assert min(fronts[label] for label in range(len(NAMES))) >= least
    assert {name[:5] for name in names} == {f"{year}_" for year in range(2007, 2012)}


def test_counts_that_leave_no_consistent_lists_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"miniatures\.voc\.counts between 4 and 6"):
        voc.render(tmp_path, seed=3, side=64, train=3, val=9, held_out=4)
    with pytest.raises(Refusal, match=r"cannot hold the 50 images"):
        sbd.render(tmp_path, seed=1, side=64, train=40, val=1, held_out=100)
    assert list(tmp_path.iterdir()) == []


def test_every_class_of_imagenet_has_its_tar_of_square_photographs(tmp_path: Path) -> None:
    imagenet.render(tmp_path, seed=2, side=56, train=2, val=1)

    rows = [line.split("\t") for line in (tmp_path / "classes.txt").read_text().splitlines()]
    wnids = [wnid for wnid, _ in rows]
    assert [name for _, name in rows] == list(NAMES) and wnids == sorted(wnids)
    for split, numbers in (("train", (0, 1)), ("val", (2,))):
        with tarfile.open(tmp_path / f"ILSVRC2012_img_{split}.tar") as outer:
            assert outer.getnames() == [f"{wnid}.tar" for wnid in wnids]
            for wnid in wnids:
                with tarfile.open(fileobj=outer.extractfile(f"{wnid}.tar")) as inner:
                    assert inner.getnames() == [f"{wnid}_{number}.JPEG" for number in numbers]
                    assert {pixels(inner, name).shape for name in inner.getnames()} == {(64, 64, 3)}


def unpacked(folder: Path) -> Path:
    """SBD's dataset folder, laid out as SBDataset wants it."""
    sbd.render(folder, seed=3, side=64, train=12, val=2, held_out=4)
    subprocess.run(["tar", "-xf", str(folder / "benchmark.tgz"), "-C", str(folder)], check=True)
    return folder / "benchmark_RELEASE/dataset"


def read(opened: tarfile.TarFile, name: str) -> bytes:
    file = opened.extractfile(name)
    assert file is not None
    return file.read()


def pixels(opened: tarfile.TarFile, name: str) -> np.ndarray:
    with Image.open(io.BytesIO(read(opened, name))) as image:
        return np.array(image)


def photographs(opened: tarfile.TarFile) -> dict[str, bytes]:
    return {Path(name).stem: read(opened, name) for name in opened.getnames() if name.endswith(".jpg")}


FOLDER = "spatial_envelope_256x256_static_8outdoorcategories"


def test_the_zip_has_the_originals_members(tmp_path: Path) -> None:
    members = sift(tmp_path, trainval=9, test=3, unannotated=2)
    names = {Path(name).stem for name in members if name.startswith("Images/")}
    assert len(names) == 14
    assert {name.split("_")[0] for name in names} >= {"coast", "forest", "street", "tallbuilding"}

    lines = members["TestSet1.txt"].decode().splitlines()
    assert len(lines) == 3 and all(line.startswith(f"{FOLDER}\\") and line.endswith(".jpg") for line in lines)
    assert {f"Images/{line}".replace("\\", "/") for line in lines} < members.keys()
    for name in names:
        with Image.open(io.BytesIO(members[f"Images/{FOLDER}/{name}.jpg"])) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (48, 48))


def test_maps_are_doubles_with_names_and_metadata_beside_them(tmp_path: Path) -> None:
    members = sift(tmp_path, trainval=3, test=1, unannotated=0)
    for folder, classes, values in (("SemanticLabels", 33, range(34)), ("GeoLabels", 3, (-1, 1, 2, 3))):
        found = [loadmat(io.BytesIO(data)) for name, data in members.items() if name.startswith(folder)]
        assert len(found) == 4
        for variables in found:
            assert variables["S"].dtype == np.float64 and variables["S"].shape == (48, 48)
            assert set(np.unique(variables["S"])) <= set(values)
            assert variables["names"].shape == (classes, 1) and "metaData" in variables


def sift(folder: Path, *, trainval: int, test: int, unannotated: int) -> dict[str, bytes]:
    """The members of a zip with squares of 48 pixels."""
    siftflow.render(folder, seed=3, side=48, trainval=trainval, test=test, unannotated=unannotated)
    with zipfile.ZipFile(folder / reader.ARCHIVE) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_leaves_are_a_folder_of_images_of_varied_size_with_labels_in_three_colours(tmp_path: Path) -> None:
    leaves.render(tmp_path, seed=7, side=64, images=20)
    row = {"root": str(tmp_path), "images": "images/*.jpg", "encoding": "color", "ignore": ["edge=#808080"]}
    problems, facts = check("leaves", {**row, "classes": ["soil=#000000", "leaf=#ff0000"]})
    assert problems == [] and facts[0].endswith("of 20 images")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "labels"]
    sizes, colors = set(), set()
    for path in sorted((tmp_path / "images").iterdir()):
        with Image.open(path) as image, Image.open(tmp_path / f"labels/{path.stem}.png") as label:
            assert (image.format, image.mode, label.mode) == ("JPEG", "RGB", "RGB")
            assert image.size == label.size and max(image.size) == 64 and min(image.size) >= 48
            sizes.add(image.size)
            colors |= {color for _, color in label.getcolors()}
    assert colors == {leaves.SOIL, leaves.LEAVES, leaves.EDGE}
    assert len(sizes) > 10 and {width > height for width, height in sizes} == {True, False}


def test_leaves_are_the_same_whatever_else_is_rendered(tmp_path: Path) -> None:
    leaves.render(tmp_path / "few", seed=7, side=48, images=2)
    leaves.render(tmp_path / "many", seed=7, side=48, images=4)
    leaves.render(tmp_path / "other", seed=8, side=48, images=2)
    for path in sorted((tmp_path / "few").glob("*/*")):
        name = path.relative_to(tmp_path / "few")
        assert path.read_bytes() == (tmp_path / "many" / name).read_bytes()
        assert path.read_bytes() != (tmp_path / "other" / name).read_bytes()


def test_a_photo_shows_its_front_class_and_voids_its_rims() -> None:
    for number in range(20):
        shown = photo.photo(1, f"2007_{number:06d}", 72, 96)
        assert (shown.label == number + 1).sum() > 50
        assert 0 < shown.void.mean() < 0.3
        np.testing.assert_array_equal(shown.label == 0, shown.instances == 0)


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
