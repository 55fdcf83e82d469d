"""The miniature SBD reads as the original does; its labels are VOC's without void."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from pipeline.miniature import sbd
from pipeline.miniature.shared import ids
from pipeline.miniature.shared.photo import photo


def test_torchvision_reads_it(tmp_path: Path) -> None:
    from torchvision.datasets import SBDataset

    root = unpacked(tmp_path)
    for split, count in (("train", 12), ("val", 2)):
        samples = SBDataset(str(root), image_set=split, mode="segmentation")
        assert len(samples) == count
        for image, label in samples:
            assert image.mode == "RGB" and image.size == label.size
            assert 1 <= np.asarray(label).max() <= 20

    _, boundaries = SBDataset(str(root), image_set="val", mode="boundaries")[0]
    assert boundaries.shape[0] == 20 and boundaries.any()


def test_labels_are_vocs_off_the_void(tmp_path: Path) -> None:
    root = unpacked(tmp_path)
    for name in ids.sbd_train(3, 12, 4):
        label = loadmat(root / f"cls/{name}.mat")["GTcls"][0]["Segmentation"][0]
        assert label.dtype == np.uint8
        np.testing.assert_array_equal(label, photo(3, name, *ids.frame(3, name, 64)).label)


def test_structs_have_the_originals_fields(tmp_path: Path) -> None:
    root = unpacked(tmp_path)
    name = ids.sbd_val(3, 2)[0]
    classes = loadmat(root / f"cls/{name}.mat")["GTcls"][0, 0]
    instances = loadmat(root / f"inst/{name}.mat")["GTinst"][0, 0]

    assert classes.dtype.names == ("Boundaries", "Segmentation", "CategoriesPresent")
    assert classes["Boundaries"].shape == (20, 1)
    assert instances.dtype.names == ("Segmentation", "Boundaries", "Categories")
    count = instances["Segmentation"].max()
    assert instances["Boundaries"].shape == instances["Categories"].shape == (count, 1)
    for number, category in enumerate(instances["Categories"][:, 0], 1):
        assert (classes["Segmentation"][instances["Segmentation"] == number] == category).all()
    np.testing.assert_array_equal(
        classes["CategoriesPresent"][:, 0], np.setdiff1d(np.unique(classes["Segmentation"]), [0])
    )


def unpacked(folder: Path) -> Path:
    """The archive's dataset folder, laid out as SBDataset wants it."""
    sbd.render(folder, seed=3, side=64, train=12, val=2, held_out=4)
    subprocess.run(["tar", "-xf", str(folder / "benchmark.tgz"), "-C", str(folder)], check=True)
    return folder / "benchmark_RELEASE/dataset"
