"""The miniature ImageNet is a tar of one tar of JPEGs per class."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from PIL import Image

from pipeline.miniature import imagenet
from pipeline.miniature.shared.things import NAMES


def test_every_class_has_its_tar_of_square_photographs(tmp_path: Path) -> None:
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
                    for member in inner:
                        with Image.open(io.BytesIO(inner.extractfile(member).read())) as image:  # type: ignore[union-attr]
                            assert image.size == (64, 64) and image.mode == "RGB"
