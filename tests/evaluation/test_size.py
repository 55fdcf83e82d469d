"""Each connected piece of a class is an object, scored beside others of its size."""

from __future__ import annotations

import numpy as np

from pipeline.core.types import LabelSpec
from pipeline.evaluation import size

LABEL = LabelSpec(classes=("background", "cat", "dog"), palette=((0, 0, 0), (1, 1, 1), (2, 2, 2)))


def ground() -> np.ndarray:
    return np.zeros((100, 100), np.uint8)


def objects(truth: np.ndarray, predicted: np.ndarray) -> list[size.Object]:
    return list(size.objects(truth, predicted, LABEL))


def test_background_is_no_object() -> None:
    assert objects(ground(), ground()) == []


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
    bins = size.scored([(0, 1, 2), (3, 3, 3), (0, 0, 7)])
    assert bins["lt01"] == {"objects": 2, "mean_iu": 0.25}
    assert bins["01to04"] == bins["04to16"] == {"objects": 0, "mean_iu": None}
    assert bins["gt16"] == {"objects": 1, "mean_iu": 1.0}


def test_no_order_of_objects_shows() -> None:
    rng = np.random.default_rng(0)
    found = [
        (int(place), int(both), 100) for place, both in zip(*rng.integers(0, [[4], [101]], (2, 1000)), strict=True)
    ]
    assert size.scored(found) == size.scored(found[::-1])
