"""Label maps as pictures keep their indices, wear their data set's colours and explain themselves."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pipeline.serving import paint
from tests.serving.world import labels, photograph


@pytest.mark.parametrize("classes", [2, 21, 256])
def test_a_png_holds_the_indices_and_shows_the_colours(classes: int) -> None:
    spec = labels(classes)
    label = np.random.default_rng(0).integers(0, classes, (30, 41), np.uint8)
    with Image.open(io.BytesIO(paint.png(label, spec))) as image:
        assert image.mode == "P"
        assert np.array_equal(np.array(image), label)
        assert np.array_equal(np.array(image.convert("RGB")), np.array(spec.palette, np.uint8)[label])


def test_an_overlay_leaves_background_and_marks_edges_and_tints_the_rest() -> None:
    picture, label = photograph(400, 330), np.zeros((400, 330), np.uint8)
    label[:, 200:] = 1
    drawn = paint.overlay(picture, label, labels(5))
    assert drawn.shape[0] == 400 and drawn.shape[1] > 330
    assert np.array_equal(drawn[:, :199], picture[:, :199])
    assert (drawn[:, 199] == 255).all()
    tint = picture[:, 200:330] * 0.4 + np.array(labels(5).palette[1]) * 0.6
    assert np.abs(drawn[:, 200:330] - tint).max() <= 1


def test_a_legend_has_a_row_for_each_class() -> None:
    label = np.arange(33, dtype=np.uint8).repeat(320)[None].repeat(40, 0)
    assert paint.overlay(np.zeros((40, 33 * 320, 3), np.uint8), label, labels(33)).shape[0] == 33 * 26 + 24


def test_a_small_picture_is_enlarged_by_a_whole_factor() -> None:
    drawn = paint.overlay(np.full((64, 128, 3), 90, np.uint8), np.zeros((64, 128), np.uint8), labels(3))
    assert drawn.shape[0] == 192
    assert (drawn[:, :384] == 90).all()
