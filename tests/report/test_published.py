"""The published rows are all there, and agree with what the papers' texts say of them."""

from __future__ import annotations

from collections import Counter

import pytest

from pipeline.published.published import (
    ABSTRACT,
    BOUNDS,
    EXTRA,
    NETWORKS,
    PAMI,
    PRECEDENCE,
    PUBLISHED,
    README,
    RELEASED,
    TABLE1,
    TABLE2,
    TABLE3,
    TABLE4,
    TABLE5,
    TABLE6,
)


def iou(source: str, net: str, split: str = "") -> float:
    (row,) = (row for row in PUBLISHED if (row.source, row.net) == (source, net) and split in row.split)
    assert row.mean_iu is not None
    return row.mean_iu


def test_every_table_is_whole() -> None:
    rows = {TABLE1: 3, TABLE2: 4, EXTRA: 3, TABLE3: 5, TABLE4: 6, TABLE5: 9, TABLE6: 10, README: 6, RELEASED: 4}
    assert Counter(row.source for row in PUBLISHED) == {**rows, ABSTRACT: 1, PAMI: 15}
    assert set(PRECEDENCE) == {row.source for row in PUBLISHED if row.verified}
    assert {row.net for row in PUBLISHED if row.source == TABLE1} == {net.net for net in NETWORKS}


def test_scores_are_percent_and_every_row_has_one() -> None:
    for row in PUBLISHED:
        scores = [row.pixel_acc, row.mean_acc, row.mean_iu, row.fw_iu]
        assert any(score is not None for score in scores)
        assert all(score is None or 1 < score < 100 for score in scores)


def test_no_row_is_there_twice() -> None:
    assert len({(row.net, row.head, row.split, row.source) for row in PUBLISHED}) == len(PUBLISHED)
    repeated = [(row.recipe, row.head, row.split, row.source) for row in PUBLISHED if row.recipe]
    assert len(set(repeated)) == len(repeated)


def test_what_nobody_could_check_says_so() -> None:
    assert all(row.verified != ("unverified" in row.source) for row in PUBLISHED)


def test_the_texts_agree_with_the_tables() -> None:
    """ "by 3.0 mean IU to 62.4", "by 3.4 points to 59.4", "20 % relative" (SDS), "11 %" (CFM), "30 %" (SDS)."""
    assert iou(TABLE2, "FCN-16s") - iou(TABLE2, "FCN-32s") == pytest.approx(3.0)
    assert iou(EXTRA, "FCN-VGG16 on 8498 images") - iou(EXTRA, "FCN-VGG16 on 1112 images") == pytest.approx(3.4)
    assert iou(TABLE1, "FCN-VGG16") == iou(EXTRA, "FCN-VGG16 on 1112 images")
    assert iou(TABLE3, "FCN-8s", "2012") / iou(TABLE3, "SDS [16]", "2012") == pytest.approx(1.2, abs=0.01)
    assert iou(TABLE6, "FCN-8s", "59") / iou(TABLE6, "CFM", "59") == pytest.approx(1.11, abs=0.005)
    assert iou(ABSTRACT, "FCN-8s") / iou(TABLE3, "SDS [16]", "2012") == pytest.approx(1.3, abs=0.005)
    assert iou(TABLE2, "FCN-32s-fixed") / iou(TABLE2, "FCN-32s") == pytest.approx(0.7, abs=0.1)


def test_the_readme_rounds_what_the_released_weights_score() -> None:
    for row in (row for row in PUBLISHED if row.source == RELEASED):
        assert row.mean_iu is not None
        (other,) = (one for one in PUBLISHED if (one.source, one.recipe, one.split) == (README, row.recipe, row.split))
        assert other.mean_iu == round(row.mean_iu, 1)


def test_finer_is_better_in_every_table() -> None:
    for source in (TABLE2, RELEASED):
        ladder = [iou(source, net) for net in ("FCN-32s", "FCN-16s", "FCN-8s")]
        assert ladder == sorted(ladder)
    bounds = [*BOUNDS.values()]
    assert [*BOUNDS] == [128, 64, 32, 16, 8, 4]
    assert bounds == sorted(bounds)
