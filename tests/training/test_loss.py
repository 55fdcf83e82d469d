"""The pixel loss is cross-entropy, ignores what is void, and names a label that is no class."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from pipeline.core.types import Refusal
from pipeline.training.loss import ROWS, History, Tally, balance, cross_entropy, valid_pixels
from tests.training.world import SEMANTIC


def drawn_scores(classes: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores 2×classes×9×7 of spread 5 and labels of which a fifth is void."""
    generator = torch.Generator().manual_seed(0)
    scores = 5 * torch.randn(2, classes, 9, 7, generator=generator, dtype=dtype)
    label = torch.randint(0, classes, (2, 9, 7), generator=generator, dtype=torch.uint8)
    return scores.requires_grad_(), label.masked_fill(torch.rand(2, 9, 7, generator=generator) < 0.2, 255)


@pytest.mark.parametrize("weight", [None, torch.tensor([0.5, 2.0, 7.0])])
def test_equals_torchs_and_so_does_its_gradient(weight: torch.Tensor | None) -> None:
    scores, label = drawn_scores(3, torch.float32)
    ours = cross_entropy(scores, label, 255, weight)
    theirs = functional.cross_entropy(scores, label.long(), weight, ignore_index=255, reduction="sum")
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)
    (got,), (want,) = (torch.autograd.grad(loss, scores) for loss in (ours, theirs))
    torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-6)


def test_balanced_classes_weigh_alike() -> None:
    assert balance({"background": 800, "cat": 100, "dog": 50, "void": 3}, SEMANTIC) == (0.125, 1.0, 2.0)
    assert balance({"background": 10, "cat": 0, "dog": 30}, SEMANTIC) == (2.0, 1.0, pytest.approx(2 / 3))


@pytest.mark.parametrize("stray", [3, 37, 254])
def test_counts_valid_pixels_and_refuses_a_label_that_is_no_class(stray: int) -> None:
    assert valid_pixels(np.array([[0, 1, 2], [255, 255, 2]], np.uint8), SEMANTIC) == 4
    with pytest.raises(Refusal, match=f"label {stray} is no class: classes are 0–2, ignored is 255"):
        valid_pixels(np.array([[0, 1, stray, 255]], np.uint8), SEMANTIC)


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
