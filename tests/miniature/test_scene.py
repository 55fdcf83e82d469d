"""A scene is a pure function of its arguments, its labels are exact, and colour does not tell the class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.miniature.shared.scenes import cast
from pipeline.miniature.shared.scenes.scene import Scene, portrait, render


def test_equal_arguments_give_equal_pixels_whatever_came_before() -> None:
    first = render(1, "2007_000012", 72, 96)
    render(2, "2009_000411", 96, 64)
    again = render(1, "2007_000012", 72, 96)

    for field in ("image", "label", "label_hard", "instances"):
        np.testing.assert_array_equal(getattr(first, field), getattr(again, field))
    assert first.image.shape == (72, 96, 3) and first.image.dtype == np.uint8
    assert (render(2, "2007_000012", 72, 96).image != first.image).any()


def test_void_lies_along_contours_and_nowhere_else() -> None:
    for scene in scenes(12):
        void = scene.label == 255

        assert not (void & ~beside_another(scene.instances)).any()
        for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
            crossed = scene.instances[one] != scene.instances[other]
            assert (void[one] | void[other])[crossed].mean() > 0.98
        np.testing.assert_array_equal(scene.label[~void], scene.label_hard[~void])
        assert scene.label_hard.max() <= 20


def test_an_instance_is_one_object_of_one_class() -> None:
    for scene in scenes(12):
        numbers = np.unique(scene.instances)

        np.testing.assert_array_equal(numbers, np.arange(len(numbers)))
        np.testing.assert_array_equal(scene.instances == 0, scene.label_hard == 0)
        for number in numbers[1:]:
            assert len(np.unique(scene.label_hard[scene.instances == number])) == 1


def test_the_name_tells_the_class_in_front() -> None:
    for label in range(1, 21):
        assert label in render(1, f"2008_{label + 39:06d}", 72, 96).label


def test_the_mean_colour_of_an_object_does_not_tell_its_class() -> None:
    known, asked = ([seen for scene in scenes(60, first) for seen in objects(scene)] for first in (0, 200))
    means = {label: np.mean([color for other, color in known if other == label], axis=0) for label in range(1, 21)}

    def guess(color: NDArray[np.float64]) -> int:
        return min(means, key=lambda label: float(np.square(means[label] - color).sum()))

    assert np.mean([guess(color) == label for label, color in asked]) < 0.14  # chance is 0.05


def test_a_portrait_is_a_square_photograph() -> None:
    picture = portrait(1, "n90000003_7", 3, 80)

    assert picture.shape == (80, 80, 3) and picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, portrait(1, "n90000003_7", 3, 80))
    assert picture.std() > 10


def scenes(count: int, first: int = 0) -> list[Scene]:
    return [render(1, f"2009_{number:06d}", *cast.frame(1, str(number), 96)) for number in range(first, first + count)]


def objects(scene: Scene) -> list[tuple[int, NDArray[np.float64]]]:
    masks = [scene.instances == number for number in range(1, int(scene.instances.max()) + 1)]
    return [(int(scene.label_hard[mask][0]), scene.image[mask].mean(axis=0)) for mask in masks]


def beside_another(instances: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels with another instance among their eight neighbours."""
    height, width = instances.shape
    padded = np.pad(instances, 1, mode="edge")
    windows = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.any([window != instances for window in windows], axis=0)
