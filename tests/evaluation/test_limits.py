"""Outlines match within a share of the diagonal; a class that is not predicted has none; void outlines nothing."""

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from pipeline.core.types import LabelSpec
from pipeline.evaluation import boundary, limits
from pipeline.evaluation.boundary import beside, fill_void

TWO = LabelSpec(classes=("ground", "cat"), palette=((0, 0, 0), (1, 1, 1)))
LABEL = LabelSpec(classes=("background", "cat", "dog"), palette=((0, 0, 0), (1, 1, 1), (2, 2, 2)))


def square(shift: int = 0, side: int = 300) -> np.ndarray:
    """A thing on ground, a third of the height and a quarter of the width."""
    shown = np.zeros((side, side * 4 // 3), np.uint8)
    shown[side // 3 : side * 2 // 3, side // 3 + shift : side * 2 // 3 + shift] = 1
    return shown


@pytest.mark.parametrize(("shift", "whole"), [(14, True), (15, False)])
def test_an_outline_matches_within_three_quarters_of_a_percent_of_the_diagonal(shift: int, whole: bool) -> None:
    match = boundary.matched(square(side=1200), square(shift, side=1200))  # a diagonal of 2000 pixels
    assert match is not None
    assert (match == (1.0, 1.0, 1.0)) == whole


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


def halves(width: int = 100) -> np.ndarray:
    """Ground on the left, a thing on the right, 20 rows high."""
    truth = np.zeros((20, width), np.uint8)
    truth[:, width // 2 :] = 1
    return truth


def banded(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return boundary.banded(truth, predicted, fill_void(truth, predicted, TWO)[0], TWO, "x")


def test_a_band_is_as_many_pixels_deep_on_each_side() -> None:
    bands = banded(halves(), halves())
    assert [hist.diagonal().tolist() for hist in bands] == [[20 * depth, 20 * depth] for depth in boundary.BANDS]


def test_a_rim_of_void_is_crossed_in_its_middle_and_does_not_count() -> None:
    truth = halves()
    truth[:, 48:52] = 255
    noise = np.random.default_rng(0).integers(0, 2, truth.shape, dtype=np.uint8)
    predicted = np.where(truth == 255, noise, truth)
    bands = banded(truth, predicted)
    assert [hist.diagonal().tolist() for hist in bands] == [[20 * max(depth - 2, 0)] * 2 for depth in boundary.BANDS]
    shares = boundary.band_scores(bands, TWO.classes)
    assert shares["02px"] == {"mean_iu": None, "pixel_acc": None}
    assert shares["03px"] == {"mean_iu": 1.0, "pixel_acc": 1.0}


def test_void_inside_a_class_and_the_images_edge_are_no_boundary() -> None:
    truth = np.zeros((20, 30), np.uint8)
    truth[5:9, 5:9] = truth[:, -2:] = 255
    assert not beside(fill_void(truth, truth, TWO)[0]).any()
    assert not banded(truth, np.zeros_like(truth)).any()


def ground() -> np.ndarray:
    return np.zeros((100, 100), np.uint8)


def objects(truth: np.ndarray, predicted: np.ndarray) -> list[limits.Object]:
    return list(limits.objects(truth, predicted, LABEL))


def test_diagonal_neighbours_are_one_object() -> None:
    truth = ground()
    truth[10:20, 10:20] = truth[20:30, 20:30] = 1
    assert objects(truth, truth) == [(1, 200, 200)]


def test_bins_are_by_share_of_the_image_and_begin_where_they_say() -> None:
    places = []
    for pixels in (1, 99, 100, 399, 400, 1599, 1600, 9999):
        truth = ground()
        truth.ravel()[:pixels] = 1
        places += [place for place, _, _ in objects(truth, truth)]
    assert places == [0, 0, 1, 1, 2, 2, 3, 3]


def test_predicted_pixels_belong_to_the_nearest_object_of_their_class() -> None:
    truth, predicted = ground(), ground()
    truth[10:20, 10:20] = truth[10:20, 40:50] = 1
    truth[60:70, 10:20] = 2
    predicted[10:20, 10:28] = 1  # 8 columns beyond the left cat, 12 from the right one
    predicted[10:20, 35:40] = 1  # beside the right cat, which itself is missed
    predicted[90:95, 90:95] = 2  # far from the only dog, and its none the less
    assert objects(truth, predicted) == [(1, 100, 180), (1, 0, 150), (1, 0, 125)]


def test_what_is_predicted_of_void_belongs_to_nobody() -> None:
    truth = ground()
    truth[10:20, 10:20] = 1
    predicted = truth.copy()
    truth[10:20, 20:30] = 255
    predicted[10:20, 20:30] = predicted[50:60, 50:60] = 1
    assert objects(truth, predicted) == [(1, 100, 200)]


def test_a_bin_tells_how_many_objects_it_has_and_the_mean_of_their_iu() -> None:
    bins = limits.object_scores([(0, 1, 2), (3, 3, 3), (0, 0, 7)])
    assert bins["lt01"] == {"objects": 2, "mean_iu": 0.25}
    assert bins["01to04"] == bins["04to16"] == {"objects": 0, "mean_iu": None}
    assert bins["gt16"] == {"objects": 1, "mean_iu": 1.0}
