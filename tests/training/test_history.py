"""A history has few rows, compares recipes, and is the same bytes for the same losses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.training.history import ROWS, History, Tally


def test_a_row_is_the_mean_loss_of_a_valid_pixel_over_its_window_to_six_decimals(tmp_path: Path) -> None:
    history = History(601)
    history.add(0, Tally(loss={"semantic": 30.0, "geometric": 8.0}, count={"semantic": 10, "geometric": 2}))
    history.add(1, Tally(loss={"semantic": 10.0, "geometric": 0.0}, count={"semantic": 30, "geometric": 2}))
    history.add(2, Tally(loss={"semantic": 1.0}, count={"semantic": 3}))
    history.add(599, Tally(loss={"semantic": 2e-9}, count={"semantic": 0}))
    history.add(600, Tally(loss={"semantic": 0.0}, count={"semantic": 0}))
    history.write(tmp_path / "runs/history.tsv")
    assert (tmp_path / "runs/history.tsv").read_bytes() == b"iteration\tloss\n3\t2.953488\n600\t0.0\n601\t0.0\n"


@pytest.mark.parametrize("iterations", [1, 7, 300, 301, 1500, 100_000])
def test_has_at_most_300_rows_and_ends_at_the_last_iteration(iterations: int) -> None:
    history = History(iterations)
    for iteration in range(iterations):
        history.add(iteration, Tally(loss={"semantic": 1.0}, count={"semantic": 1}))
    assert len(history.rows) <= ROWS
    assert history.rows[-1][0] == iterations
    assert {loss for _, loss in history.rows} == {1.0}


def test_a_half_filled_window_goes_on_from_its_state() -> None:
    whole, first, second = History(900), History(900), History(900)
    for n in range(8):
        tally = Tally(loss={"semantic": 1 / (n + 3), "geometric": 0.1 * n}, count={"semantic": n, "geometric": 7})
        whole.add(n, tally)
        (first if n < 4 else second).add(n, tally)
        if n == 3:
            second.restore(json.loads(json.dumps(first.state())))
    assert second.state() == whole.state()
