"""Images are listed in the split's order; which are the best and the worst, no order of parts decides."""

from __future__ import annotations

import csv
from pathlib import Path

from pipeline.evaluation import images
from pipeline.evaluation.images import Row


def row(position: int, mean_iu: float | None, head: str = "semantic", name: str = "") -> Row:
    return Row(head=head, position=position, id=name or f"image {position}", pixel_acc=mean_iu, mean_iu=mean_iu)


def test_a_table_has_a_row_for_each_head_and_image_in_order(tmp_path: Path) -> None:
    rows = [row(2, 0.25, name="tab\there"), row(0, 1 / 3), row(1, None), row(0, 0.5, "geometric")]
    images.write(tmp_path / "images.tsv", rows, ["semantic", "geometric"])
    text = (tmp_path / "images.tsv").read_text()
    assert text.splitlines()[:3] == [
        "head\tposition\tid\tpixel_acc\tmean_iu",
        "semantic\t0\timage 0\t0.3333333333333333\t0.3333333333333333",
        "semantic\t1\timage 1\t\t",
    ]
    read = list(csv.DictReader(text.splitlines(), delimiter="\t"))
    assert [each["id"] for each in read] == ["image 0", "image 1", "tab\there", "image 0"]
    assert read[-1]["head"] == "geometric"


def test_best_median_and_worst_are_by_the_heads_mean_iu() -> None:
    rows = [row(position, iu) for position, iu in enumerate([0.5, 0.9, 0.1, 0.4, 0.3, 0.7])]
    others = [row(position, 1 - position / 10, "geometric") for position in range(6)]
    chosen = images.extremes([*rows, *others], "semantic")
    assert {place: each.position for place, each in chosen.items()} == {
        "best-1": 1,
        "median-1": 3,
        "worst-1": 2,
        "worst-2": 4,
        "worst-3": 3,
    }


def test_of_equals_the_lower_position_comes_first_whichever_part_had_it() -> None:
    rows = [row(position, 0.5) for position in range(5)]
    chosen = images.extremes(rows, "semantic")
    assert chosen == images.extremes(rows[::-1], "semantic")
    assert [each.position for each in chosen.values()] == [0, 2, 0, 1, 2]


def test_an_image_without_a_score_is_no_extreme() -> None:
    assert {each.position for each in images.extremes([row(0, None), row(1, 0.0)], "semantic").values()} == {1}
    assert images.extremes([row(0, None)], "semantic") == {}
