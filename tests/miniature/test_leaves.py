"""The world of leaves is what a person might have: photographs, and labels in three colours that match them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.convert.check_folder import check
from pipeline.datasets.own import folder
from pipeline.miniature import leaves

ROW = {
    "images": "images/*.jpg",
    "labels": "labels/*.png",
    "encoding": "color",
    "classes": ["soil=#000000", "leaf=#ff0000"],
    "ignore": ["edge=#808080"],
    "splits": ["train=0.8", "val=0.2"],
}


def test_it_reads_as_a_folder_without_a_problem(tmp_path: Path) -> None:
    leaves.render(tmp_path, seed=7, side=64, images=20)
    assert check("leaves", {"root": str(tmp_path), **ROW})[0] == []
    described = folder.parse("leaves", {"root": str(tmp_path), **ROW})
    assert sum(len(described.ids(tmp_path, split)) for split in ("train", "val")) == 20


def test_labels_are_pngs_of_three_colours_on_images_of_varied_size(tmp_path: Path) -> None:
    leaves.render(tmp_path, seed=7, side=64, images=20)
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


def test_an_image_is_the_same_whatever_else_is_rendered(tmp_path: Path) -> None:
    leaves.render(tmp_path / "few", seed=7, side=48, images=2)
    leaves.render(tmp_path / "many", seed=7, side=48, images=4)
    leaves.render(tmp_path / "other", seed=8, side=48, images=2)
    for path in sorted((tmp_path / "few").glob("*/*")):
        name = path.relative_to(tmp_path / "few")
        assert path.read_bytes() == (tmp_path / "many" / name).read_bytes()
        assert path.read_bytes() != (tmp_path / "other" / name).read_bytes()


def test_leaves_are_where_their_labels_say() -> None:
    """Leaves are far more vivid than soil and pebbles, so a net has something to learn."""
    leaf, soil = [], []
    for number in range(12):
        image, label = leaves.litter(7, f"leaves_{number:04d}", 96)
        vivid = image.max(axis=2).astype(float) - image.min(axis=2)
        leaf.append(vivid[(label == leaves.LEAVES).all(axis=2)])
        soil.append(vivid[(label == leaves.SOIL).all(axis=2)])
        assert leaf[-1].size > 0.02 * label[..., 0].size
    assert np.median(np.concatenate(leaf)) > 1.8 * np.median(np.concatenate(soil))
