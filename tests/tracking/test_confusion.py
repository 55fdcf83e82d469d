"""A histogram read back is the one that was written, and its picture shows every class and what it was taken for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.core.types import LabelSpec
from pipeline.evaluation.evaluate import write_hist
from pipeline.metrics.scores import scores
from pipeline.tracking import confusion
from pipeline.tracking.record import Confusion

COUNTS = np.array([[80, 10, 0], [5, 15, 0], [0, 0, 0]])
CLASSES = ("background", "cat", "dog")


def test_a_histogram_is_read_as_evaluate_wrote_it_and_gives_its_scores(tmp_path: Path) -> None:
    label = LabelSpec(classes=CLASSES, palette=((0, 0, 0),) * 3)
    write_hist(tmp_path / "hist.parquet", {"a": COUNTS, "b": COUNTS.T}, {"a": label, "b": label})
    read = confusion.read(tmp_path / "hist.parquet")
    assert [*read] == ["a", "b"]
    assert (read["a"].counts == COUNTS).all()
    assert (read["b"].counts == COUNTS.T).all()
    table = confusion.table(read["a"])
    assert dict(zip(table["class"], table["iu"], strict=True)) == scores(COUNTS, CLASSES)["iu"]
    assert table["true pixels"] == [90, 20, 0]
    assert table["predicted pixels"] == [85, 25, 0]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n", [2, 21, 40])
def test_a_picture_names_each_class_on_both_sides_and_tells_whole_percent(n: int) -> None:
    counts = np.eye(n, dtype=np.int64) * 3
    counts[0, 1] = 1
    names = tuple(f"class {i}" for i in range(n))
    figure = confusion.draw("evaluate@x: semantic", Confusion(names, counts))
    figure.canvas.draw()
    axes = figure.axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [*names]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [*names]
    told = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in axes.texts}
    assert told == {(0, 0): "75", (0, 1): "25", **{(i, i): "100" for i in range(1, n)}}
    box = axes.get_window_extent()
    assert box.width / n >= 20, "pixels a cell, or its number would not fit"
    assert box.width == pytest.approx(box.height, rel=0.01)


def test_a_class_without_a_true_pixel_is_told(tmp_path: Path) -> None:
    figure = confusion.draw("x", Confusion(CLASSES, COUNTS))
    assert "no true pixel" in [text.get_text() for text in figure.axes[0].texts]
    figure.savefig(tmp_path / "x.png")
