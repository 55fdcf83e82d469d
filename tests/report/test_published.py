"""The published rows are whole and consistent with each other."""

from __future__ import annotations

from pipeline.report.published import OTHERS, PUBLISHED, RELEASED, TABLE2


def test_scores_are_percent_and_every_row_has_one() -> None:
    for row in (*PUBLISHED, *OTHERS):
        scores = [row.pixel_acc, row.mean_acc, row.mean_iu, row.fw_iu]
        assert any(score is not None for score in scores)
        assert all(score is None or 1 < score < 100 for score in scores)


def test_no_row_is_there_twice() -> None:
    keys = [(row.recipe, row.head, row.split, row.source) for row in (*PUBLISHED, *OTHERS)]
    assert len(keys) == len(set(keys))


def test_released_nets_climb_the_ladder_and_stand_first() -> None:
    released = {row.recipe: row.mean_iu for row in PUBLISHED if row.source == RELEASED}
    printed = {row.recipe: row.mean_iu for row in PUBLISHED if row.source == TABLE2}
    for scores in (released, printed):
        ladder = [scores["voc-fcn32s"], scores["voc-fcn16s"], scores["voc-fcn8s"]]
        assert ladder == sorted(ladder, key=lambda score: score or 0)
    first = {row.recipe: row.source for row in reversed(PUBLISHED) if row.recipe in released}
    assert set(first.values()) == {RELEASED}
