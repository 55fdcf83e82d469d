"""VOC's samples come out of the tar as they went in, SBD's leave MATLAB's structs; no test image enters training."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from pipeline.core.png import PASCAL
from pipeline.core.types import Refusal
from pipeline.datasets import sbd, voc
from tests.shards.world import tarred

REAL = Path(__file__).parents[2].parent / "shared/real"
real = pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/real")


def pack(path: Path, root: str, members: dict[str, bytes]) -> None:
    inside = {f"{root}{member}": data for member, data in members.items()}
    tarred(path, inside, "w:gz" if path.suffix == ".tgz" else "w")


def pack_voc(raw: Path, members: dict[str, bytes], root: str = voc.ROOTS[0]) -> None:
    pack(raw / "VOCtrainval_11-May-2012.tar", root, members)


def pack_sbd(raw: Path, members: dict[str, bytes], kept_out: str = "held\n") -> None:
    (raw / "seg11valid.txt").write_text(kept_out)
    pack(raw / "benchmark.tgz", sbd.ROOT, members)


def mat(label: np.ndarray) -> bytes:
    file = io.BytesIO()
    boundaries = np.empty((20, 1), object)
    boundaries[:] = [[np.zeros((1, 1))]] * 20
    savemat(file, {"GTcls": {"Boundaries": boundaries, "Segmentation": label, "CategoriesPresent": 1}})
    return file.getvalue()


@pytest.mark.parametrize("root", voc.ROOTS)
def test_vocs_samples_carry_the_published_bytes_in_the_order_asked_for(tmp_path: Path, root: str) -> None:
    Image.fromarray(np.zeros((3, 5), np.uint8)).save(png := io.BytesIO(), "PNG")
    members = {"ImageSets/Segmentation/train.txt": b"b\na\n"}
    for name in "ab":
        members[f"JPEGImages/{name}.jpg"] = f"jpeg {name}".encode()
        members[f"SegmentationClass/{name}.png"] = png.getvalue()
    pack_voc(tmp_path, members, root)
    names = voc.ids(tmp_path, "train")
    read = list(voc.read(tmp_path, names))
    assert [name for name, _ in read] == names == ["b", "a"]
    sample = voc.sample(*read[0])
    assert (sample.id, sample.height, sample.width) == ("b", 3, 5)
    assert (sample.images["color"].bytes, sample.images["color"].path) == (b"jpeg b", "b.jpg")
    assert (sample.labels["semantic"].bytes, sample.labels["semantic"].path) == (png.getvalue(), "b.png")


def test_what_voc_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"must hold one VOCtrainval_\*\.tar, found none"):
        voc.ids(tmp_path, "train")
    with pytest.raises(Refusal, match=r"seg11valid\.txt is missing: run its download"):
        voc.ids(tmp_path, "seg11valid")
    (tmp_path / "seg11valid.txt").write_text("2007_000033\n2007_000061\n\n")
    assert voc.ids(tmp_path, "seg11valid") == ["2007_000033", "2007_000061"]
    pack_voc(tmp_path, {"ImageSets/Segmentation/train.txt": b"a\n", "JPEGImages/a.jpg": b""})
    with pytest.raises(Refusal, match=r"has no VOCdevkit/VOC2012/ImageSets/Segmentation/val\.txt"):
        voc.ids(tmp_path, "val")
    with pytest.raises(Refusal, match=r"\.tar has no VOCdevkit/VOC2012/SegmentationClass/a\.png"):
        list(voc.read(tmp_path, ["a"]))
    pack_voc(tmp_path, {"ImageSets/Segmentation/train.txt": b"a\nb\na\n"})
    with pytest.raises(Refusal, match=r"train\.txt lists a twice"):
        voc.ids(tmp_path, "train")
    with pytest.raises(Refusal, match=r"a\.png is no image"):
        voc.sample("a", {"color": b"", "semantic": b"<html>"})


def test_the_palette_is_pascals() -> None:
    assert voc.SPEC.labels["semantic"].palette == PASCAL[:21]
    known = {0: (0, 0, 0), 1: (128, 0, 0), 8: (64, 0, 0), 15: (192, 128, 128), 20: (0, 64, 128), 255: (224, 224, 192)}
    assert {index: PASCAL[index] for index in known} == known


def test_sbds_label_keeps_its_indices_and_wears_the_palette(tmp_path: Path) -> None:
    label = np.arange(12, dtype=np.uint8).reshape(3, 4)
    pack_sbd(tmp_path, {"train.txt": b"a\n", "cls/a.mat": mat(label), "img/a.jpg": b"jpeg"})
    (read,) = sbd.read(tmp_path, ["a"])
    sample = sbd.sample(*read)
    assert (sample.id, sample.height, sample.width) == ("a", 3, 4)
    assert sample.images["color"].bytes == b"jpeg"
    with Image.open(io.BytesIO(sample.labels["semantic"].bytes)) as image:
        assert image.mode == "P" and np.array_equal(np.array(image), label)
        assert image.getpalette()[3 * 15 : 3 * 16] == [192, 128, 128]
    assert sbd.sample(*read) == sample


def test_sbds_samples_come_whole_in_archive_order_whatever_lies_between(tmp_path: Path) -> None:
    label = mat(np.zeros((2, 2), np.uint8))
    members = ["img/b.jpg", "cls/a.mat", "inst/a.mat", "img/a.jpg", "cls/b.mat", "img/c.jpg", "cls/c.mat"]
    files = {member: label if member.endswith("mat") else member[4:5].encode() for member in members}
    pack_sbd(tmp_path, files | {"train.txt": b"a\nb\nc\n"})
    assert sbd.ids(tmp_path, "train") == ["a", "b", "c"]
    assert [(name, parts["color"]) for name, parts in sbd.read(tmp_path, ["b", "a"])] == [("a", b"a"), ("b", b"b")]


def test_a_test_image_in_sbds_train_is_refused(tmp_path: Path) -> None:
    pack_sbd(tmp_path, {"train.txt": b"a\n2007_000033\n", "val.txt": b"2007_000033\n"}, kept_out="2007_000033\n")
    with pytest.raises(Refusal, match=r"2007_000033 is in .*train\.txt and seg11valid\.txt: training may never"):
        sbd.ids(tmp_path, "train")
    assert sbd.ids(tmp_path, "val") == ["2007_000033"]


def test_sbds_validation_is_500_images_of_val_that_are_no_test_images(tmp_path: Path) -> None:
    for count, kept in ((3, ["1", "2"]), (1001, [str(2 * place + 1) for place in range(500)])):
        names = "".join(f"{number}\n" for number in range(count)).encode()
        pack_sbd(tmp_path, {"val.txt": names}, kept_out="0\n")
        assert sbd.ids(tmp_path, "validation") == kept


def test_what_sbd_lacks_is_named(tmp_path: Path) -> None:
    pack_sbd(tmp_path, {"train.txt": b"a\n", "img/a.jpg": b"jpeg"})
    with pytest.raises(Refusal, match=r"benchmark\.tgz has no benchmark_RELEASE/dataset/cls/a\.mat"):
        list(sbd.read(tmp_path, ["a"]))
    with pytest.raises(Refusal, match=r"benchmark\.tgz has no benchmark_RELEASE/dataset/val\.txt"):
        sbd.ids(tmp_path, "val")
    with pytest.raises(Refusal, match=r"a\.mat has no readable GTcls\.Segmentation"):
        sbd.sample("a", {"color": b"", "semantic": b"MATLAB 5.0 MAT-file, and nothing"})
    with pytest.raises(Refusal, match=r"Segmentation is float64 \(2, 2\), expected a uint8 map"):
        sbd.sample("a", {"color": b"", "semantic": mat(np.zeros((2, 2)))})


@real
def test_the_real_lists_have_no_leak_and_the_real_palette_is_ours() -> None:
    train, val = sbd.ids(REAL, "train"), sbd.ids(REAL, "val")
    assert (len(train), len(val), train[0]) == (350, 30, "2007_000876")
    ((_, parts),) = voc.read(REAL, voc.ids(REAL, "val")[:1])
    with Image.open(io.BytesIO(parts["semantic"])) as label:
        palette = np.array(label.getpalette()).reshape(-1, 3)
    assert [tuple(color) for color in palette[:21]] == list(voc.SPEC.labels["semantic"].palette)
    assert len(voc.ids(REAL, "seg11valid")) == 100
