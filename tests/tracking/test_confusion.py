"""Counts read back are the ones that were written, and their picture shows every class and what it was taken for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.core.types import LabelSpec
from pipeline.evaluation.evaluate import write_hist
from pipeline.metrics.scores import scores
from pipeline.tracking import confusion

COUNTS = np.array([[80, 10, 0], [5, 15, 0], [0, 0, 0]])
CLASSES = ("background", "cat", "dog")


def test_counts_are_read_as_evaluate_wrote_them_and_give_its_scores(tmp_path: Path) -> None:
    label = LabelSpec(classes=CLASSES, palette=((0, 0, 0),) * 3)
    write_hist(tmp_path / "hist.parquet", {"a": COUNTS, "b": COUNTS.T}, {"a": label, "b": label})
    read = confusion.read(tmp_path / "hist.parquet")
    assert [*read] == ["a", "b"]
    assert (read["a"][1] == COUNTS).all()
    assert (read["b"][1] == COUNTS.T).all()
    table = confusion.table(*read["a"])
    assert dict(zip(table["class"], table["iu"], strict=True)) == scores(COUNTS, CLASSES)["iu"]
    assert table["true pixels"] == [90, 20, 0]
    assert table["predicted pixels"] == [85, 25, 0]


@pytest.mark.parametrize("n", [2, 40])
def test_a_picture_names_each_class_on_both_sides_and_shows_whole_percent(n: int) -> None:
    counts = np.eye(n, dtype=np.int64) * 3
    counts[0, 1], counts[1, 1] = 1, 0
    names = [f"class {i}" for i in range(n)]
    figure = confusion.draw("evaluate@x: semantic", names, counts)
    figure.canvas.draw()
    axes = figure.axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == names
    assert [tick.get_text() for tick in axes.get_yticklabels()] == names
    shown = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in axes.texts}
    assert shown == {(0, 0): "75", (0, 1): "25", **{(i, i): "100" for i in range(2, n)}}, "class 1 has no true pixel"
    assert axes.get_window_extent().width / n >= 20, "pixels a cell, or its number would not fit"
