"""The miniature VOC reads as the original does, and agrees with the miniature SBD."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.core.types import Refusal
from pipeline.miniature import sbd, voc

TAR = "VOCtrainval_11-May-2012.tar"


def test_torchvision_reads_it(tmp_path: Path) -> None:
    from torchvision.datasets import VOCSegmentation

    voc.render(tmp_path, seed=3, side=64, train=3, val=6, held_out=4)
    subprocess.run(["tar", "-xf", str(tmp_path / TAR), "-C", str(tmp_path)], check=True)

    samples = VOCSegmentation(str(tmp_path), year="2012", image_set="trainval", download=False)
    assert len(samples) == 9
    for image, label in samples:
        assert image.mode == "RGB" and label.mode == "P" and image.size == label.size
        assert max(image.size) == 64
        values = set(np.unique(np.asarray(label)))
        assert values <= {*range(21), 255} and values & set(range(1, 21)) and 255 in values


def test_objects_have_the_void_of_classes(tmp_path: Path) -> None:
    voc.render(tmp_path, seed=3, side=64, train=2, val=2, held_out=2)

    with tarfile.open(tmp_path / TAR) as archive:
        for name in archive.getnames():
            if "SegmentationClass" in name:
                classes = pixels(archive, name)
                objects = pixels(archive, name.replace("Class", "Object"))
                np.testing.assert_array_equal(classes == 255, objects == 255)
                np.testing.assert_array_equal(classes == 0, objects == 0)


def test_lists_are_complete_and_sorted(tmp_path: Path) -> None:
    voc.render(tmp_path, seed=3, side=64, train=3, val=6, held_out=4)

    with tarfile.open(tmp_path / TAR) as archive:
        lists = {
            split: read(archive, f"VOCdevkit/VOC2012/ImageSets/Segmentation/{split}.txt").decode().split()
            for split in ("train", "val", "trainval")
        }
        photographs = [Path(name).stem for name in archive.getnames() if name.endswith(".jpg")]
    assert sorted(lists["train"] + lists["val"]) == lists["trainval"] == photographs
    assert set((tmp_path / "seg11valid.txt").read_text().split()) < set(lists["val"])


def test_scenes_shared_with_sbd_are_the_same_photographs(tmp_path: Path) -> None:
    voc.render(tmp_path / "voc", seed=3, side=64, train=4, val=6, held_out=4)
    sbd.render(tmp_path / "sbd", seed=3, side=64, train=40, val=2, held_out=4)

    with tarfile.open(tmp_path / "voc" / TAR) as ours, tarfile.open(tmp_path / "sbd/benchmark.tgz") as theirs:
        here, there = photographs(ours), photographs(theirs)
    assert len(here.keys() & there.keys()) == 4  # two of VOC train, two of VOC val
    assert all(here[name] == there[name] for name in here.keys() & there.keys())
    held_out = (tmp_path / "voc/seg11valid.txt").read_bytes()
    assert held_out == (tmp_path / "sbd/seg11valid.txt").read_bytes()
    assert not set(held_out.decode().split()) & there.keys()


def test_a_val_that_cannot_be_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"miniatures\.voc\.counts"):
        voc.render(tmp_path, seed=3, side=64, train=3, val=9, held_out=4)
    assert list(tmp_path.iterdir()) == []


def read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


def pixels(archive: tarfile.TarFile, name: str) -> np.ndarray:
    with Image.open(io.BytesIO(read(archive, name))) as image:
        return np.array(image)


def photographs(archive: tarfile.TarFile) -> dict[str, bytes]:
    return {Path(name).stem: read(archive, name) for name in archive.getnames() if name.endswith(".jpg")}
