"""A history has few rows, compares recipes, and is the same bytes for the same losses."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.training.history import ROWS, History, Tally


def test_a_row_is_the_mean_loss_of_a_valid_pixel_over_its_window(tmp_path: Path) -> None:
    history = History(600)
    history.add(0, Tally(loss={"semantic": 30.0, "geometric": 8.0}, count={"semantic": 10, "geometric": 2}))
    history.add(1, Tally(loss={"semantic": 10.0, "geometric": 0.0}, count={"semantic": 30, "geometric": 2}))
    history.write(tmp_path / "runs/history.tsv")
    assert (tmp_path / "runs/history.tsv").read_bytes() == b"iteration\tloss\n2\t3.0\n"


@pytest.mark.parametrize("iterations", [1, 7, 300, 301, 1500, 100_000])
def test_has_at_most_300_rows_and_ends_at_the_last_iteration(iterations: int) -> None:
    history = History(iterations)
    for iteration in range(iterations):
        history.add(iteration, Tally(loss={"semantic": 1.0}, count={"semantic": 1}))
    assert len(history.rows) <= ROWS
    assert history.rows[-1][0] == iterations
    assert {loss for _, loss in history.rows} == {1.0}


def test_a_window_without_a_valid_pixel_is_zero() -> None:
    history = History(1)
    history.add(0, Tally(loss={"semantic": 0.0}, count={"semantic": 0}))
    assert history.rows == [(1, 0.0)]


def test_losses_are_rounded_to_six_decimals(tmp_path: Path) -> None:
    history = History(2)
    history.add(0, Tally(loss={"semantic": 1.0}, count={"semantic": 3}))
    history.add(1, Tally(loss={"semantic": 2e-9}, count={"semantic": 1}))
    history.write(tmp_path / "history.tsv")
    assert (tmp_path / "history.tsv").read_text().splitlines()[1:] == ["1\t0.333333", "2\t0.0"]
