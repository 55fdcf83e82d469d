"""The published rows are all there, and agree with what the papers' texts say of them."""

from __future__ import annotations

from collections import Counter

import pytest

from pipeline.published import published
from pipeline.published.published import BOUNDS, EXTRA, PUBLISHED, README, RELEASED, TABLE1, TABLE2, TABLE3, TABLE6


def iou(source: str, net: str, split: str = "") -> float:
    (row,) = (row for row in PUBLISHED if (row.source, row.net) == (source, net) and split in row.split)
    assert row.mean_iu is not None
    return row.mean_iu


def test_every_row_is_there_once_with_a_score_in_percent() -> None:
    rows = {TABLE1: 3, TABLE2: 4, EXTRA: 3, TABLE3: 5, published.TABLE4: 6, published.TABLE5: 9, TABLE6: 10, README: 6}
    rows |= {RELEASED: 4, published.ABSTRACT: 1, published.PAMI: 15}
    assert Counter(row.source for row in PUBLISHED) == rows
    assert set(published.PRECEDENCE) == {row.source for row in PUBLISHED if "unverified" not in row.source}
    assert {row.net for row in PUBLISHED if row.source == TABLE1} == {net.net for net in published.NETWORKS}
    assert len({(row.net, row.head, row.split, row.source) for row in PUBLISHED}) == len(PUBLISHED)
    repeated = [(row.recipe, row.head, row.split, row.source) for row in PUBLISHED if row.recipe]
    assert len(set(repeated)) == len(repeated)
    for row in PUBLISHED:
        scores = [score for score in (row.pixel_acc, row.mean_acc, row.mean_iu, row.fw_iu) if score is not None]
        assert scores and all(1 < score < 100 for score in scores)


def test_the_texts_agree_with_the_tables() -> None:
    """ "by 3.0 mean IU to 62.4", "by 3.4 points to 59.4", "20 % relative" (SDS), "11 %" (CFM), "30 %" (SDS)."""
    assert iou(TABLE2, "FCN-16s") - iou(TABLE2, "FCN-32s") == pytest.approx(3.0)
    assert iou(EXTRA, "FCN-VGG16 on 8498 images") - iou(EXTRA, "FCN-VGG16 on 1112 images") == pytest.approx(3.4)
    assert iou(TABLE1, "FCN-VGG16") == iou(EXTRA, "FCN-VGG16 on 1112 images")
    assert iou(TABLE3, "FCN-8s", "2012") / iou(TABLE3, "SDS [16]", "2012") == pytest.approx(1.2, abs=0.01)
    assert iou(TABLE6, "FCN-8s", "59") / iou(TABLE6, "CFM", "59") == pytest.approx(1.11, abs=0.005)
    assert iou(published.ABSTRACT, "FCN-8s") / iou(TABLE3, "SDS [16]", "2012") == pytest.approx(1.3, abs=0.005)
    for row in (row for row in PUBLISHED if row.source == RELEASED):
        (other,) = (one for one in PUBLISHED if (one.source, one.recipe, one.split) == (README, row.recipe, row.split))
        assert other.mean_iu == round(row.mean_iu or 0.0, 1), "the README rounds what the released weights score"


def test_finer_is_better_in_every_table() -> None:
    for source in (TABLE2, RELEASED):
        assert iou(source, "FCN-32s") < iou(source, "FCN-16s") < iou(source, "FCN-8s")
    assert [*BOUNDS] == [128, 64, 32, 16, 8, 4]
    assert [*BOUNDS.values()] == sorted(BOUNDS.values())
