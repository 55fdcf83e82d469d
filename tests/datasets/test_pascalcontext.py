"""PASCAL-Context's 459 labels become the authors' 59 classes and background, over the photographs as published."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from pipeline.core.types import Refusal
from pipeline.datasets import pascalcontext as reader
from pipeline.miniature import pascalcontext as writer
from pipeline.miniature.shared import photo
from pipeline.miniature.shared.camera import jpeg
from tests.datasets.world import pixels


def mat(label: np.ndarray) -> bytes:
    savemat(file := io.BytesIO(), {"LabelMap": label})
    return file.getvalue()


def test_every_label_becomes_its_class_and_all_others_background() -> None:
    label = np.arange(460, dtype=np.uint16).reshape(20, 23)
    sample = reader.sample("a", {"color": b"jpeg", "semantic": mat(label)})
    found = pixels(sample.labels["semantic"]).ravel()
    known = {0: "background", 2: "aeroplane", 397: "diningtable", 80: "clothes", 19: "bedcloth", 431: "background"}
    assert {raw: reader.CLASSES[found[raw]] for raw in known} == known
    assert sorted(found[found > 0]) == [*range(1, 60)] and len(reader.SPEC.labels["semantic"].classes) == 60
    assert (sample.height, sample.width, sample.images["color"].bytes) == (20, 23, b"jpeg")
    with Image.open(io.BytesIO(sample.labels["semantic"].bytes)) as image:
        assert image.mode == "P" and (image.getpalette() or [])[3 * 15 : 3 * 16] == [192, 128, 128]


def test_the_miniatures_photographs_come_back_with_what_they_show(tmp_path: Path) -> None:
    writer.render(tmp_path, seed=3, side=64, train=3, val=2)
    assert [len(reader.ids(tmp_path, split)) for split in reader.splits(tmp_path)] == [3, 2]
    wanted = reader.ids(tmp_path, "val")
    read = dict(reader.read(tmp_path, wanted[::-1]))
    assert sorted(read) == wanted
    for name, parts in read.items():
        shown = photo.photo(3, name, *photo.size_of(3, name, 64))
        sample = reader.sample(name, parts)
        classes = [reader.CLASSES.index(seen) if seen != "sand" else 0 for seen in ("background", *photo.SEEN)]
        assert np.array_equal(pixels(sample.labels["semantic"]), np.array(classes)[shown.context])
        assert sample.images["color"].bytes == jpeg(shown.image)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (mat(np.full((2, 3), 460, np.uint16)), r"a\.mat: LabelMap is uint16 \(2, 3\), expected a map of .* up to 459"),
        (mat(np.zeros((2, 3))), "LabelMap is float64"),
        (b"MATLAB 5.0 MAT-file, and nothing", r"a\.mat has no readable LabelMap"),
    ],
)
def test_another_label_is_refused(label: bytes, message: str) -> None:
    with pytest.raises(Refusal, match=message):
        reader.sample("a", {"color": b"", "semantic": label})


def test_what_the_archives_lack_is_named(tmp_path: Path) -> None:
    writer.render(tmp_path, seed=3, side=64, train=1, val=1)
    with pytest.raises(Refusal, match=r"trainval\.tar\.gz has no trainval/2007_000000\.mat: fetch it again"):
        list(reader.read(tmp_path, ["2007_000000"]))
    (tmp_path / reader.PHOTOS).unlink()
    with pytest.raises(Refusal, match=r"VOCtrainval_03-May-2010\.tar is missing: run its download"):
        reader.ids(tmp_path, "train")
