"""A trimap's bands lie on both sides of where classes meet, void neither counts nor bounds, parts add up."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.types import LabelSpec
from pipeline.evaluation import trimap
from pipeline.evaluation.boundary import beside, fill_void

LABEL = LabelSpec(classes=("ground", "thing"), palette=((0, 0, 0), (1, 1, 1)))


def halves(width: int = 100) -> np.ndarray:
    """Ground on the left, a thing on the right, 20 rows high."""
    truth = np.zeros((20, width), np.uint8)
    truth[:, width // 2 :] = 1
    return truth


def counted(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return trimap.counted(truth, predicted, fill_void(truth, predicted, LABEL)[0], LABEL, "x")


def test_a_band_is_as_many_pixels_deep_on_each_side() -> None:
    bands = counted(halves(), halves())
    assert [hist.diagonal().tolist() for hist in bands] == [[20 * depth, 20 * depth] for depth in trimap.BANDS]


def test_a_net_that_errs_beside_a_boundary_errs_most_in_the_thinnest_band() -> None:
    predicted = np.roll(halves(), 2, axis=1)
    predicted[:, :2] = 0
    shares = trimap.scored(counted(halves(), predicted), LABEL.classes)
    assert list(shares) == ["01px", "02px", "03px", "05px", "08px", "12px", "20px", "30px", "40px"]
    wrong = [1 - (band["pixel_acc"] or 0) for band in shares.values()]
    assert wrong == pytest.approx([min(depth, 2) / (2 * depth) for depth in trimap.BANDS])
    assert shares["01px"]["mean_iu"] == pytest.approx((1 / 2 + 0) / 2)


def test_distance_is_euclids() -> None:
    corner = np.zeros((99, 99), np.uint8)
    corner[49, 49] = 1
    near = counted(corner, corner).sum((1, 2))
    rows, columns = np.indices(corner.shape) - 49
    cross = np.array([(0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)])  # the pixel, and those that touch it
    away = np.min([(rows - row) ** 2 + (columns - column) ** 2 for row, column in cross], axis=0)
    assert near.tolist() == [(away < depth**2).sum() for depth in trimap.BANDS]


def test_a_rim_of_void_is_crossed_in_its_middle_and_does_not_count() -> None:
    truth = halves()
    truth[:, 48:52] = 255
    noise = np.random.default_rng(0).integers(0, 2, truth.shape, dtype=np.uint8)
    predicted = np.where(truth == 255, noise, truth)
    bands = counted(truth, predicted)
    assert [hist.diagonal().tolist() for hist in bands] == [[20 * max(depth - 2, 0)] * 2 for depth in trimap.BANDS]
    shares = trimap.scored(bands, LABEL.classes)
    assert shares["02px"] == {"mean_iu": None, "pixel_acc": None}
    assert shares["03px"] == {"mean_iu": 1.0, "pixel_acc": 1.0}


def test_void_inside_a_class_and_the_images_edge_are_no_boundary() -> None:
    truth = np.zeros((20, 30), np.uint8)
    truth[5:9, 5:9] = truth[:, -2:] = 255
    assert not beside(fill_void(truth, truth, LABEL)[0]).any()
    assert not counted(truth, np.zeros_like(truth)).any()
