"""ImageNet's archives decode in one order, and crops are a pure function of the iteration."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.core.types import Refusal
from pipeline.pretraining.imagenet import TRAIN, Pictures, centre_crops, class_names, decode, random_crops, side_for


def tar(members: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def picture(color: tuple[int, int, int], size: tuple[int, int], mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, color).convert(mode).save(file, "JPEG", quality=95)
    return file.getvalue()


def archive(folder: Path, wnids: Sequence[str]) -> Path:
    """Two pictures a class: a red one wider than high, and a grey one in one channel."""
    classes = {
        f"{wnid}.tar": tar(
            {
                f"{wnid}_9.JPEG": picture((90, 90, 90), (20, 30), "L"),
                f"{wnid}_10.JPEG": picture((250, 10 * number, 0), (40, 20)),
            }
        )
        for number, wnid in enumerate(wnids)
    }
    path = folder / TRAIN
    path.write_bytes(tar(classes))
    return path


def test_decodes_by_class_then_name_whatever_the_tars_order(tmp_path: Path) -> None:
    wnids = ["n03", "n01", "n02"]
    forth = decode(archive(tmp_path, wnids), wnids, 28)
    back = decode(archive(tmp_path, wnids[::-1]), wnids[::-1], 28)
    assert forth.pixels.shape == (6, 28, 28, 3)
    assert forth.pixels.dtype == np.uint8
    assert list(forth.classes) == [0, 0, 1, 1, 2, 2]
    assert [int(pixel[0] > 200) for pixel in forth.pixels[:, 14, 14]] == [1, 0] * 3  # …_10 sorts before …_9
    assert not np.array_equal(forth.pixels[0], back.pixels[4])  # classes follow the list, not the tar


@pytest.mark.parametrize("text", [None, "n01 cat\n"])
def test_refuses_classes_it_cannot_read(tmp_path: Path, text: str | None) -> None:
    if text:
        (tmp_path / "classes.txt").write_text(text)
    with pytest.raises(Refusal, match=r"classes\.txt does not list the classes as wnid, tab, name"):
        class_names(tmp_path)
    (tmp_path / "classes.txt").write_text("n02\tcat\nn01\tpotted plant\n")
    assert list(class_names(tmp_path).items()) == [("n02", "cat"), ("n01", "potted plant")]


def test_refuses_an_archive_that_is_missing_or_lacks_a_class(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="is missing: run the imagenet stage"):
        decode(tmp_path / TRAIN, ["n01"], 28)
    with pytest.raises(Refusal, match=r"has no n09\.tar, which classes\.txt lists"):
        decode(archive(tmp_path, ["n01"]), ["n01", "n09"], 28)


def ramps() -> Pictures:
    """Five pictures of 9 px whose pixel (y, x) of picture i is (y, x, i)."""
    y, x = np.mgrid[:9, :9]
    pixels = np.stack([np.stack([y, x, np.full_like(y, i)], -1) for i in range(5)]).astype(np.uint8)
    return Pictures(pixels=pixels, classes=np.arange(5) * 10)


def test_crops_are_windows_mirrored_or_not() -> None:
    crops, classes = random_crops(ramps(), seed=1, iteration=3, batch=200, crop=6)
    assert crops.shape == (200, 6, 6, 3)
    assert np.array_equal(classes, crops[:, 0, 0, 2] * np.int64(10))
    steps = np.diff(crops[..., 1].astype(int), axis=2)
    assert set(steps[:, 0, 0]) == {-1, 1}
    assert (steps == steps[:, :1, :1]).all()
    assert {(int(crop[..., 0].min()), int(crop[..., 1].min())) for crop in crops} == {
        (top, left) for top in range(4) for left in range(4)
    }


def test_crops_depend_on_seed_and_iteration_alone() -> None:
    def sample(seed: int, iteration: int) -> bytes:
        return random_crops(ramps(), seed=seed, iteration=iteration, batch=4, crop=6)[0].tobytes()

    assert sample(1, 3) == sample(1, 3)
    assert len({sample(seed, iteration) for seed in range(5) for iteration in range(5)}) == 25


def test_centre_crops() -> None:
    assert np.array_equal(centre_crops(ramps(), 5)[0, :, 0, 0], [2, 3, 4, 5, 6])
    assert side_for(96) == 112
