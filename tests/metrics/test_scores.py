"""The histogram counts every pixel or refuses; the four metrics are the reference's."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.types import LabelSpec, Refusal
from pipeline.metrics.scores import histogram, scores

THREE = LabelSpec(classes=("background", "cat", "dog"), palette=((0, 0, 0), (1, 1, 1), (2, 2, 2)))


def labels(count: int, ignore_label: int = 255) -> LabelSpec:
    names = tuple(f"class {i}" for i in range(count))
    return LabelSpec(classes=names, palette=((0, 0, 0),) * count, ignore_label=ignore_label)


def test_scores_are_score_pys_on_a_matrix_computed_by_hand() -> None:
    hist = np.array([[5, 1, 0], [2, 6, 0], [0, 1, 3]])
    got = scores(hist, THREE.classes)
    assert got["pixel_acc"] == pytest.approx(14 / 18, abs=1e-12)
    assert got["mean_acc"] == pytest.approx((5 / 6 + 6 / 8 + 3 / 4) / 3, abs=1e-12)
    assert got["mean_iu"] == pytest.approx(79 / 120, abs=1e-12)
    assert got["fw_iu"] == pytest.approx(77 / 120, abs=1e-12)
    assert got["iu"] == {"background": 5 / 8, "cat": 6 / 10, "dog": 3 / 4}
    assert got["absent"] == []


def test_scores_agree_with_the_reference_formulas_on_a_large_matrix() -> None:
    hist = np.random.default_rng(0).integers(0, 10**9, (21, 21))
    right, true, predicted = hist.diagonal(), hist.sum(1), hist.sum(0)
    iu = right / (true + predicted - right)
    got = scores(hist, labels(21).classes)
    expected = (right.sum() / hist.sum(), np.mean(right / true), np.mean(iu), (true * iu).sum() / hist.sum())
    assert [got["pixel_acc"], got["mean_acc"], got["mean_iu"], got["fw_iu"]] == pytest.approx(expected, abs=1e-12)


def test_a_class_without_ground_truth_counts_in_no_mean_even_when_predicted() -> None:
    hist = np.array([[8, 2, 0], [0, 0, 0], [0, 0, 5]])  # nanmean over IU would average in a 0 for "cat"
    got = scores(hist, THREE.classes)
    assert got["absent"] == ["cat"]
    assert got["iu"] == {"background": 8 / 10, "cat": None, "dog": 1.0}
    assert got["mean_iu"] == pytest.approx(0.9, abs=1e-12)
    assert got["mean_acc"] == pytest.approx(0.9, abs=1e-12)
    assert got["fw_iu"] == pytest.approx((10 * 0.8 + 5) / 15, abs=1e-12)


def test_a_split_without_a_labelled_pixel_is_refused() -> None:
    with pytest.raises(Refusal, match="nothing to score"):
        scores(np.zeros((3, 3), np.int64), THREE.classes)


def test_histogram_has_the_truth_in_its_rows_and_leaves_void_out() -> None:
    truth = np.array([[0, 1, 2], [255, 255, 1]], np.uint8)
    predicted = np.array([[0, 2, 2], [0, 1, 1]], np.uint8)
    assert histogram(truth, predicted, THREE, "a").tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 1]]


@pytest.mark.parametrize(("count", "ignore_label"), [(1, 255), (21, 255), (60, 0), (256, 255)])
def test_histogram_equals_the_masked_count_of_the_reference(count: int, ignore_label: int) -> None:
    rng = np.random.default_rng([count, ignore_label])
    truth = rng.integers(0, count, (37, 53), dtype=np.uint8)
    truth[rng.random(truth.shape) < 0.1] = ignore_label
    predicted = rng.integers(0, count, truth.shape, dtype=np.uint8)
    valid = truth != ignore_label
    expected = np.zeros((count, count), np.int64)
    np.add.at(expected, (truth[valid], predicted[valid]), 1)
    got = histogram(truth, predicted, labels(count, ignore_label), "a")
    assert got.dtype == np.int64
    assert (got == expected).all()


def test_a_label_that_is_no_class_is_refused_by_name() -> None:
    truth = np.array([[0, 3, 254]], np.uint8)
    with pytest.raises(Refusal, match=r"2007_000033: label holds \[3, 254\]"):
        histogram(truth, np.zeros_like(truth), THREE, "2007_000033")


def test_a_prediction_that_is_no_class_or_another_size_is_refused() -> None:
    truth = np.zeros((2, 3), np.uint8)
    with pytest.raises(Refusal, match="prediction holds class 3"):
        histogram(truth, truth + 3, THREE, "a")
    with pytest.raises(Refusal, match="own size"):
        histogram(truth, truth.T, THREE, "a")
