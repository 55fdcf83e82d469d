"""Archives tell nothing of the time, the user or the machine that wrote them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import loadmat

from pipeline.miniature.shared import archive


def test_a_tgz_carries_neither_name_nor_time(tmp_path: Path) -> None:
    for name in ("one.tgz", "two.tgz"):
        archive.write_tgz(tmp_path / name, [("list.txt", b"2007_000001\n")])

    header = (tmp_path / "one.tgz").read_bytes()[:10]
    assert header[3] == 0 and header[4:8] == bytes(4)
    assert (tmp_path / "one.tgz").read_bytes() == (tmp_path / "two.tgz").read_bytes()
    with tarfile.open(tmp_path / "one.tgz", "r:gz") as opened:
        assert opened.getnames() == ["list.txt"]


def test_a_palette_png_keeps_indices_and_has_vocs_colours() -> None:
    indices = np.arange(256, dtype=np.uint8).reshape(16, 16)

    with Image.open(io.BytesIO(archive.palette_png(indices))) as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.asarray(picture), indices)
        palette = np.array(picture.getpalette()).reshape(256, 3)
    known = {0: (0, 0, 0), 1: (128, 0, 0), 8: (64, 0, 0), 15: (192, 128, 128), 20: (0, 64, 128), 255: (224, 224, 192)}
    assert {index: tuple(palette[index]) for index in known} == known


def test_a_mat_file_has_no_date() -> None:
    content = archive.mat(GTcls={"Segmentation": np.eye(3, dtype=np.uint8)})

    assert content[:116].decode().rstrip() == "MATLAB 5.0 MAT-file, miniature"
    np.testing.assert_array_equal(loadmat(io.BytesIO(content))["GTcls"]["Segmentation"][0, 0], np.eye(3))
