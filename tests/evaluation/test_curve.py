"""A curve is a training's losses in at most 200 rows, each the mean of what it stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.types import Refusal
from pipeline.evaluation import curve
from pipeline.training.history import History, Tally


def history(path: Path, iterations: int) -> Path:
    losses = History(iterations)
    for iteration in range(iterations):
        losses.add(iteration, Tally(loss={"semantic": float(iteration)}, count={"semantic": 1}))
    losses.write(path)
    return path


def test_a_short_history_stays_as_it_is(tmp_path: Path) -> None:
    short = history(tmp_path / "history.tsv", 200)
    curve.write(tmp_path / "curve.tsv", *curve.read(short))
    assert (tmp_path / "curve.tsv").read_bytes() == short.read_bytes()


def test_a_long_one_is_thinned_to_means_named_by_their_end(tmp_path: Path) -> None:
    curve.write(tmp_path / "curve.tsv", *curve.read(history(tmp_path / "history.tsv", 299)))
    lines = (tmp_path / "curve.tsv").read_text().splitlines()
    assert lines[:3] == ["iteration\tloss", "2\t0.5", "4\t2.5"]
    assert lines[-2:] == ["298\t296.5", "299\t298.0"]
    assert len(lines) == 1 + 150


def test_a_history_without_a_row_gives_a_curve_without_one(tmp_path: Path) -> None:
    curve.write(tmp_path / "curve.tsv", ["iteration", "loss"], [])
    assert (tmp_path / "curve.tsv").read_text() == "iteration\tloss\n"


@pytest.mark.parametrize("text", ["", "loss\titeration\n1.0\t1\n", "iteration\tloss\n1\n", "iteration\tloss\n1\tlow\n"])
def test_what_is_no_history_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "history.tsv").write_text(text)
    with pytest.raises(Refusal, match=r"history.tsv holds no losses .*: run its train stage again"):
        curve.read(tmp_path / "history.tsv")


def test_a_history_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"history.tsv holds no losses"):
        curve.read(tmp_path / "history.tsv")
