"""VOC's and SBD's lists agree although each is drawn without the other's counts."""

from __future__ import annotations

from collections import Counter

import pytest

from pipeline.core.types import Refusal
from pipeline.miniature.shared.scenes import cast
from pipeline.miniature.shared.scenes.classes import NAMES


def test_seg11valid_is_voc_val_minus_sbd_train() -> None:
    val, sbd = set(cast.voc_val(1, 150, 100)), set(cast.sbd_train(1, 600, 100))
    held_out = cast.seg11valid(1, 100)

    assert set(held_out) == val - sbd
    assert len(held_out) == 100 and len(val & sbd) == 50


def test_no_image_is_trained_on_that_is_held_out_and_voc_splits_are_disjoint() -> None:
    train, val = set(cast.voc_train(1, 60)), set(cast.voc_val(1, 150, 100))

    assert not train & val
    assert len(train & set(cast.sbd_train(1, 600, 100))) == 30
    assert not set(cast.sbd_val(1, 20)) & (set(cast.sbd_train(1, 600, 100)) | train | val)


@pytest.mark.parametrize(
    ("ids", "count", "least"),
    [
        (cast.voc_train(1, 60), 60, 3),
        (cast.voc_val(1, 150, 100), 150, 6),
        (cast.seg11valid(1, 100), 100, 5),
        (cast.sbd_train(1, 600, 100), 600, 28),
        (cast.sbd_val(1, 20), 20, 1),
    ],
)
def test_every_class_stands_in_front_in_every_split(ids: list[str], count: int, least: int) -> None:
    fronts = Counter(int(name[-6:]) % len(NAMES) for name in ids)

    assert len(set(ids)) == count and ids == sorted(ids)
    assert min(fronts[label] for label in range(len(NAMES))) >= least


def test_ids_look_like_vocs() -> None:
    assert {name[:5] for name in cast.voc_val(1, 150, 100)} == {f"{year}_" for year in range(2007, 2012)}
    assert all(len(name) == 11 and name[5:].isdecimal() for name in cast.sbd_train(1, 600, 100))


def test_frames_vary_as_photographs_do() -> None:
    frames = Counter(cast.frame(1, name, 128) for name in cast.sbd_train(1, 600, 100))

    assert all(max(frame) == 128 and min(frame) >= 84 for frame in frames)
    assert 0.15 < sum(n for (height, width), n in frames.items() if height > width) / 600 < 0.35


@pytest.mark.parametrize("val", [99, 151])
def test_a_val_count_that_leaves_no_consistent_lists_is_refused(val: int) -> None:
    with pytest.raises(Refusal, match="between 100 and 150"):
        cast.voc_val(1, val, 100)


def test_an_sbd_too_small_for_what_it_shares_is_refused() -> None:
    with pytest.raises(Refusal, match=r"cannot hold the 50 images"):
        cast.sbd_train(1, 40, 100)
