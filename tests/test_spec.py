"""The authors' crops follow from layer geometry alone."""

from __future__ import annotations

from fractions import Fraction

import pytest

from pipeline.core.types import Refusal
from pipeline.spec import Coordinates, Upsampling


def along(*windows: tuple[int, int, int]) -> Coordinates:
    """Behind layers of (kernel, stride, padding)."""
    at = Coordinates()
    for kernel, stride, padding in windows:
        at = at.through(kernel=kernel, stride=stride, padding=padding)
    return at


def test_alexnet_needs_a_kernel_of_63_and_the_authors_crop_of_18() -> None:
    """conv1 11/4 pad 100, three 3/2 pools, convolutions that keep their size, fc6 of 6 cells."""
    fc6 = along((11, 4, 100), (3, 2, 0), (5, 1, 2), (3, 2, 0), (3, 1, 1), (3, 1, 1), (3, 1, 1), (3, 2, 0), (6, 1, 0))
    assert fc6 == Coordinates(Fraction(32), Fraction(13))
    assert fc6.onto(Coordinates()) == Upsampling(stride=32, kernel=63, offset=18)


def test_upsampling_undoes_the_window_of_the_same_size() -> None:
    at = Coordinates(Fraction(8), Fraction(7, 2))
    assert at.through(kernel=4, stride=2).upsampled(kernel=4, stride=2) == at


def test_overlap_of_maps_that_begin_and_end_apart() -> None:
    inside = Upsampling(stride=2, kernel=4, offset=-5)  # the finer map begins 5 cells before: it is cropped
    assert (inside.start, inside.length(12), inside.overlap(12, 36)) == (0, 26, 26)
    outside = Upsampling(stride=2, kernel=4, offset=3)  # and here 3 cells after
    assert (outside.start, outside.overlap(12, 20), outside.overlap(12, 40)) == (3, 20, 23)


def test_refuses_a_geometry_that_no_kernel_fits() -> None:
    with pytest.raises(Refusal, match="change a padding"):
        Coordinates(Fraction(2), Fraction(1, 3)).onto(Coordinates())
