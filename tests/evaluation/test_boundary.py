"""Outlines match within a share of the diagonal; a class that is not predicted has none; void outlines nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from pipeline.core.types import LabelSpec
from pipeline.evaluation import boundary
from pipeline.evaluation.boundary import beside, fill_void

LABEL = LabelSpec(classes=("ground", "thing", "other"), palette=((0, 0, 0), (1, 1, 1), (2, 2, 2)))


def square(shift: int = 0, side: int = 300) -> np.ndarray:
    """A thing on ground, a third of the height and a quarter of the width."""
    shown = np.zeros((side, side * 4 // 3), np.uint8)
    shown[side // 3 : side * 2 // 3, side // 3 + shift : side * 2 // 3 + shift] = 1
    return shown


def test_the_truth_matches_itself() -> None:
    assert boundary.matched(square(), square()) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(("shift", "whole"), [(14, True), (15, False)])
def test_an_outline_matches_within_three_quarters_of_a_percent_of_the_diagonal(shift: int, whole: bool) -> None:
    match = boundary.matched(square(side=1200), square(shift, side=1200))  # a diagonal of 2000 pixels
    assert match is not None
    assert (match == (1.0, 1.0, 1.0)) == whole


def test_precision_is_of_the_predicted_outline_and_recall_of_the_true_one() -> None:
    truth, predicted = square(), square()
    predicted[10:30, 10:30] = 1  # another thing, nowhere near
    match = boundary.matched(truth, predicted)
    assert match is not None
    thing, ground = (4 * 99) / (4 * 99 + 4 * 19), (4 * 100) / (4 * 100 + 4 * 20)
    assert match[:2] == (pytest.approx((thing + ground) / 2), 1.0)
    f = [2 * precision / (precision + 1) for precision in (thing, ground)]
    assert match[2] == pytest.approx(sum(f) / 2), "each class has its F, and they are averaged"


def test_a_class_that_is_nowhere_predicted_has_nothing_and_one_that_is_not_true_takes_no_part() -> None:
    assert boundary.matched(square(), np.zeros_like(square())) == (0.0, 0.0, 0.0)
    predicted = square()
    predicted[10:30, 10:30] = 2
    match = boundary.matched(square(), predicted)
    assert match is not None
    assert match[1] == 1.0
    assert boundary.matched(np.zeros_like(predicted), predicted) is None


def test_a_net_right_on_both_sides_of_void_is_right_along_it_whatever_it_says_of_void() -> None:
    truth = square()
    truth[95:105, 90:210] = 255
    noise = np.random.default_rng(0).integers(0, 3, truth.shape, dtype=np.uint8)
    predicted = np.where(truth == 255, noise, truth)
    assert boundary.matched(*fill_void(truth, predicted, LABEL)) == (1.0, 1.0, 1.0)


def test_a_splits_scores_are_its_images_mean_in_any_order() -> None:
    matches = [tuple(row) for row in np.random.default_rng(0).random((1000, 3)).tolist()]
    means = boundary.scored(matches)
    assert means == boundary.scored(matches[::-1])
    assert means["f"] == pytest.approx(np.mean([f for _, _, f in matches]))
    assert boundary.scored([]) == {"precision": None, "recall": None, "f": None}


def by_distance_transform(truth: np.ndarray, predicted: np.ndarray) -> list[tuple[float, float]]:
    """Precision and recall of each class with a true outline, each by exact distances to all pixels of an outline."""
    limit = 0.0075**2 * (truth.shape[0] ** 2 + truth.shape[1] ** 2)
    shares = []
    for index in range(5):
        true, found = (beside(shown) & (shown == index) for shown in (truth, predicted))
        if true.any() and found.any():
            near = [distance_transform_edt(~other) ** 2 < limit - 1e-6 for other in (true, found)]
            shares.append((near[0][found].mean(), near[1][true].mean()))
        elif true.any():
            shares.append((0.0, 0.0))
    return shares


def test_distances_are_exact_whatever_the_size_of_the_image() -> None:
    random = np.random.default_rng(0)
    for _ in range(60):
        height, width = random.integers(1, 300, 2)
        cells = random.integers(0, 5, (height // 7 + 1, width // 7 + 1), dtype=np.uint8)
        truth = cells.repeat(7, 0).repeat(7, 1)[:height, :width]
        predicted = np.roll(truth, tuple(random.integers(-3, 4, 2)), (0, 1))
        predicted[random.random(predicted.shape) < 0.01] = random.integers(0, 5)
        match, shares = boundary.matched(truth, predicted), by_distance_transform(truth, predicted)
        assert (match is None) == (not shares)
        if match:
            assert match[:2] == pytest.approx(tuple(np.mean(shares, 0)), abs=1e-12)


def test_an_outline_that_crashed_a_tree_is_matched_also_where_denormals_are_flushed() -> None:
    """Most of a class in column 0 and one pixel far off: SciPy's k-d tree recurses there without end, once flushed."""
    truth = np.zeros((17, 64), np.uint8)
    truth[:16, 0] = truth[0, 40] = 1
    expected = boundary.matched(truth, truth)
    torch.set_flush_denormal(True)
    try:
        assert boundary.matched(truth, truth) == expected == (1.0, 1.0, 1.0)
    finally:
        torch.set_flush_denormal(False)
