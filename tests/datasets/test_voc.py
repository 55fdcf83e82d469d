"""VOC samples come out of the tar as the bytes that went in."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.core.types import Refusal, color
from pipeline.datasets import voc
from pipeline.datasets.shared import voc_classes

REAL = Path(__file__).parents[2].parent / "shared/real"


def pack(raw: Path, root: str, members: dict[str, bytes], name: str = "VOCtrainval_11-May-2012.tar") -> None:
    with tarfile.open(raw / name, "w") as tar:
        for member, data in members.items():
            info = tarfile.TarInfo(f"{root}{member}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize("root", voc.ROOTS)
def test_samples_carry_the_published_bytes_in_the_order_asked_for(tmp_path: Path, root: str) -> None:
    png = io.BytesIO()
    Image.fromarray(np.zeros((3, 5), np.uint8)).save(png, "PNG")
    members = {"ImageSets/Segmentation/train.txt": b"b\na\n"}
    for name in "ab":
        members[f"JPEGImages/{name}.jpg"] = f"jpeg {name}".encode()
        members[f"SegmentationClass/{name}.png"] = png.getvalue()
    pack(tmp_path, root, members)
    names = voc.ids(tmp_path, "train")
    assert names == ["b", "a"]
    read = list(voc.read(tmp_path, names))
    assert [name for name, _ in read] == names
    sample = voc.sample(*read[0])
    assert (sample.id, sample.height, sample.width) == ("b", 3, 5)
    assert (sample.images["color"].bytes, sample.images["color"].path) == (b"jpeg b", "b.jpg")
    assert (sample.labels["semantic"].bytes, sample.labels["semantic"].path) == (png.getvalue(), "b.png")


def test_seg11valid_is_the_list_beside_the_archive(tmp_path: Path) -> None:
    (tmp_path / "seg11valid.txt").write_text("2007_000033\n2007_000061\n\n")
    assert voc.ids(tmp_path, "seg11valid") == ["2007_000033", "2007_000061"]
    with pytest.raises(Refusal, match="missing: run its download"):
        voc.ids(tmp_path / "elsewhere", "seg11valid")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"must hold one VOCtrainval_\*\.tar, found none"):
        voc.ids(tmp_path, "train")
    pack(tmp_path, voc.ROOTS[0], {"ImageSets/Segmentation/train.txt": b"a\n", "JPEGImages/a.jpg": b""})
    with pytest.raises(Refusal, match=r"has no VOCdevkit/VOC2012/ImageSets/Segmentation/val\.txt"):
        voc.ids(tmp_path, "val")
    with pytest.raises(Refusal, match=r"lists a but has no VOCdevkit/VOC2012/SegmentationClass/a\.png"):
        list(voc.read(tmp_path, ["a"]))
    with pytest.raises(Refusal, match=r"a\.png is no image"):
        voc.sample("a", {"color": b"", "semantic": b"<html>"})


def test_a_list_with_an_id_twice_is_refused(tmp_path: Path) -> None:
    pack(tmp_path, voc.ROOTS[0], {"ImageSets/Segmentation/train.txt": b"a\nb\na\n"})
    with pytest.raises(Refusal, match=r"train\.txt lists a twice"):
        voc.ids(tmp_path, "train")


def test_palette_is_pascals() -> None:
    assert voc_classes.LABEL.palette[1] == (128, 0, 0)
    assert voc_classes.LABEL.palette[15] == (192, 128, 128)
    assert voc_classes.LABEL.palette[20] == (0, 64, 128)
    assert color(255) == (224, 224, 192)


@pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/real")
def test_the_real_palette_is_ours() -> None:
    ((_, parts),) = voc.read(REAL, voc.ids(REAL, "val")[:1])
    with Image.open(io.BytesIO(parts["semantic"])) as label:
        palette = np.array(label.getpalette()).reshape(-1, 3)
    assert [tuple(color) for color in palette[:21]] == list(voc.SPEC.labels["semantic"].palette)
    assert len(voc.ids(REAL, "seg11valid")) == 100
