"""SBD labels leave their MATLAB structs as palette PNGs, and no test image enters training."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from pipeline.core.types import Refusal
from pipeline.datasets import sbd

REAL = Path(__file__).parents[2].parent / "shared/real"


def mat(label: np.ndarray) -> bytes:
    file = io.BytesIO()
    boundaries = np.empty((20, 1), object)
    boundaries[:] = [[np.zeros((1, 1))]] * 20
    savemat(file, {"GTcls": {"Boundaries": boundaries, "Segmentation": label, "CategoriesPresent": 1}})
    return file.getvalue()


def pack(raw: Path, members: dict[str, bytes], kept_out: str = "held\n") -> None:
    (raw / "seg11valid.txt").write_text(kept_out)
    with tarfile.open(raw / "benchmark.tgz", "w:gz") as tar:
        for member, data in members.items():
            info = tarfile.TarInfo(f"{sbd.ROOT}{member}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_label_keeps_its_indices_and_wears_the_palette(tmp_path: Path) -> None:
    label = np.arange(12, dtype=np.uint8).reshape(3, 4)
    pack(tmp_path, {"train.txt": b"a\n", "cls/a.mat": mat(label), "img/a.jpg": b"jpeg"})
    (read,) = sbd.read(tmp_path, ["a"])
    sample = sbd.sample(*read)
    assert (sample.id, sample.height, sample.width) == ("a", 3, 4)
    assert sample.images["color"].bytes == b"jpeg"
    with Image.open(io.BytesIO(sample.labels["semantic"].bytes)) as image:
        assert image.mode == "P"
        assert np.array_equal(np.array(image), label)
        assert image.getpalette()[3 * 15 : 3 * 16] == [192, 128, 128]
    assert sbd.sample(*read) == sample


def test_samples_come_whole_in_archive_order_whatever_lies_between(tmp_path: Path) -> None:
    label = mat(np.zeros((2, 2), np.uint8))
    pack(
        tmp_path,
        {
            "img/b.jpg": b"b",
            "cls/a.mat": label,
            "inst/a.mat": b"unused",
            "img/a.jpg": b"a",
            "cls/b.mat": label,
            "img/c.jpg": b"c",
            "cls/c.mat": label,
            "train.txt": b"a\nb\nc\n",
        },
    )
    assert sbd.ids(tmp_path, "train") == ["a", "b", "c"]
    assert [(name, parts["color"]) for name, parts in sbd.read(tmp_path, ["b", "a"])] == [("a", b"a"), ("b", b"b")]


def test_a_test_image_in_train_is_refused(tmp_path: Path) -> None:
    pack(tmp_path, {"train.txt": b"a\n2007_000033\n", "val.txt": b"2007_000033\n"}, kept_out="2007_000033\n")
    with pytest.raises(Refusal, match=r"2007_000033 is in .*train\.txt and in seg11valid\.txt: training may never"):
        sbd.ids(tmp_path, "train")
    assert sbd.ids(tmp_path, "val") == ["2007_000033"]


def test_what_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    pack(tmp_path, {"train.txt": b"a\n", "img/a.jpg": b"jpeg"})
    with pytest.raises(Refusal, match=r"benchmark\.tgz lists a but has no benchmark_RELEASE/dataset/cls/a\.mat"):
        list(sbd.read(tmp_path, ["a"]))
    with pytest.raises(Refusal, match=r"benchmark\.tgz has no benchmark_RELEASE/dataset/val\.txt"):
        sbd.ids(tmp_path, "val")
    with pytest.raises(Refusal, match=r"a\.mat has no readable GTcls\.Segmentation"):
        sbd.sample("a", {"color": b"", "semantic": b"MATLAB 5.0 MAT-file, and nothing"})
    with pytest.raises(Refusal, match=r"Segmentation is float64 \(2, 2\), expected a uint8 map"):
        sbd.sample("a", {"color": b"", "semantic": mat(np.zeros((2, 2)))})


@pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/real")
def test_real_lists_have_no_leak() -> None:
    train, val = sbd.ids(REAL, "train"), sbd.ids(REAL, "val")
    assert (len(train), len(val)) == (350, 30)
    assert train[0] == "2007_000876"
