"""VOC's and SBD's lists agree although each is drawn without the other's counts."""

from __future__ import annotations

from collections import Counter

import pytest

from pipeline.miniature.shared import ids
from pipeline.miniature.shared.things import NAMES
from pipeline.types import Refusal


def test_no_image_is_trained_on_that_is_held_out_and_voc_splits_are_disjoint() -> None:
    train, val, sbd = set(ids.voc_train(1, 60)), set(ids.voc_val(1, 150, 100)), set(ids.sbd_train(1, 600, 100))

    assert set(ids.seg11valid(1, 100)) == val - sbd
    assert len(val & sbd) == 50 and len(train & sbd) == 30 and not train & val
    assert not set(ids.sbd_val(1, 20)) & (sbd | train | val)


@pytest.mark.parametrize(
    ("names", "count", "least"),
    [
        (ids.voc_train(1, 60), 60, 3),
        (ids.seg11valid(1, 100), 100, 5),
        (ids.sbd_train(1, 600, 100), 600, 28),
        (ids.sbd_val(1, 20), 20, 1),
    ],
)
def test_every_class_stands_in_front_in_every_split(names: list[str], count: int, least: int) -> None:
    fronts = Counter(int(name[-6:]) % len(NAMES) for name in names)

    assert len(set(names)) == count and names == sorted(names)
    assert min(fronts[label] for label in range(len(NAMES))) >= least
    assert {name[:5] for name in names} <= {f"{year}_" for year in range(2007, 2012)}
    assert all(len(name) == 11 and name[5:].isdecimal() for name in names)


def test_an_sbd_too_small_for_what_it_shares_is_refused() -> None:
    with pytest.raises(Refusal, match=r"cannot hold the 50 images"):
        ids.sbd_train(1, 40, 100)
