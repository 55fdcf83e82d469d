"""A panel shows image, label, prediction and errors; the same pixels are the same file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.core.types import LabelSpec
from pipeline.panels import panels

LABEL = LabelSpec(classes=("sky", "tree"), palette=((0, 0, 128), (0, 128, 0)))


def test_chosen_images_are_spread_evenly_and_never_twice() -> None:
    assert panels.chosen(0) == []
    assert panels.chosen(3) == [0, 1, 2]
    assert panels.chosen(8) == list(range(8))
    assert panels.chosen(736) == [0, 92, 184, 276, 368, 460, 552, 644]


def test_four_pictures_stand_side_by_side_with_void_white_and_errors_red() -> None:
    image = np.full((2, 3, 3), 100, np.uint8)
    truth = np.array([[0, 1, 255], [0, 1, 1]], np.uint8)
    predicted = np.array([[0, 0, 1], [0, 1, 1]], np.uint8)
    drawn = panels.panel(image, {"semantic": truth}, {"semantic": predicted}, {"semantic": LABEL})
    assert drawn.shape == (2, 4 * 3 + 3 * panels.GAP, 3)
    seen, label, prediction, errors = (drawn[:, start : start + 3] for start in range(0, 4 * 7, 3 + panels.GAP))
    assert (seen == image).all()
    assert label[0].tolist() == [[0, 0, 128], [0, 128, 0], [255, 255, 255]]
    assert prediction[0].tolist() == [[0, 0, 128], [0, 0, 128], [0, 128, 0]]
    assert errors[0, 1].tolist() == list(panels.WRONG)
    assert errors[0, 2].tolist() == [255, 255, 255]
    assert len({tuple(pixel) for pixel in errors[1].tolist()}) == 1, "right pixels are one pale grey here"


def test_each_head_has_its_row() -> None:
    image = np.zeros((5, 4, 3), np.uint8)
    maps = {head: np.zeros((5, 4), np.uint8) for head in ("semantic", "geometric")}
    drawn = panels.panel(image, maps, maps, dict.fromkeys(maps, LABEL))
    assert drawn.shape == (2 * 5 + panels.GAP, 4 * 4 + 3 * panels.GAP, 3)


def test_an_ids_slashes_do_not_become_folders(tmp_path: Path) -> None:
    name = panels.file_name("03", "street/urban 01")
    assert name == "03-street_urban_01.png"
    pixels = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    (tmp_path / name).write_bytes(panels.png(pixels))
    assert panels.png(pixels) == panels.png(pixels.copy())
    assert (np.array(Image.open(tmp_path / name)) == pixels).all()
