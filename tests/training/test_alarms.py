"""A training that learns nothing says so, once; one that learns says nothing."""

import math
import re
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.types import Refusal
from pipeline.watching.alarms import Guess, guess, of_labels, of_loss
from pipeline.watching.watch import watch
from tests.training.world import SEMANTIC, Seen, fit, losses, recipe, shards

LEARNS = {"lr": 2e-3, "batch": 6, "reduction": "mean", "iterations": 100}


def alarms(root: Path, *, shuffled: tuple[int, ...] = (), hopeful: bool = True, **changes: object) -> list[str]:
    """What the training of a recipe with ``changes`` raises, in order; ``shuffled`` are labels to strew over images."""
    shards(root / "train", shuffled or (0, 1, 2, 255), shuffled=bool(shuffled))
    seen = Seen()
    with suppress(Refusal):  # of a loss that is no number: the run ends, and what was raised before stays
        fit(root, row=recipe(**LEARNS | changes), watch=partial(watch, seen, root / "train", hopeful=hopeful))
    return [text for _, text in seen.alarms]


def test_a_training_that_learns_raises_none(tmp_path: Path) -> None:
    assert alarms(tmp_path) == []
    loss = losses(tmp_path / "run/history.tsv")
    assert sum(loss[-10:]) < 0.7 * sum(loss[:10])


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ((0, 1, 2, 255), "the loss does not fall: |after .* iterations the loss is .*; guessing gives 1.1"),
        ((0, 0, 0, 0, 1, 2, 255), "all pixels of 6 images, whose labels have 3 classes, are background"),
    ],
)
def test_labels_strewn_over_the_images_raise_alarms(tmp_path: Path, labels: tuple[int, ...], told: str) -> None:
    raised = alarms(tmp_path, shuffled=labels, iterations=60)
    assert len([text for text in raised if re.search(told, text)]) == 1


@pytest.mark.filterwarnings("ignore:.* encountered in matmul:RuntimeWarning")
def test_a_rate_a_thousand_times_too_high_raises_one_or_ends_the_run(tmp_path: Path) -> None:
    told = alarms(tmp_path, lr=1000 * 2e-3, iterations=20)
    assert told or not (tmp_path / "run").exists()


def test_a_net_that_is_to_show_that_it_learns_nothing_raises_none(tmp_path: Path) -> None:
    assert alarms(tmp_path, shuffled=(0, 1, 2, 255), hopeful=False, iterations=30) == []


def curve(*tenths: float) -> list[tuple[int, float]]:
    """A history of ten rows a tenth, with those losses."""
    return [(10 * tenth + row + 1, loss) for tenth, loss in enumerate(tenths) for row in range(10)]


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        (curve(2.0, 1.5, 1.2), ""),
        (curve(0.3, 0.4, 0.3, 0.5), ""),  # fine-tuned: far below what guessing gives
        (curve(3.2), "after 10 iterations the loss is 3.2; guessing gives 3.04"),
        (curve(2.0, 1.0, 50.0), "after 30 iterations the loss is 50; guessing gives 3.04"),
        (curve(2.0, 1.76)[:-1], ""),  # less than two tenths
        (curve(2.0, 1.76), "the loss does not fall: 1.76 after 20 iterations, 1.76 before; .* gives 1.75"),
        (curve(2.0, 1.9, 1.8, 1.9, 1.8, 1.7), ""),  # slow, but it falls
    ],
)
def test_what_the_loss_says(rows: list[tuple[int, float]], wrong: str) -> None:
    assert re.fullmatch(wrong, of_loss(rows, 100, Guess(alike=3.04, frequency=1.75)))


def test_guessing_costs_the_entropy_of_the_labels() -> None:
    pixels = {"semantic": {"background": 80, "cat": 20, "dog": 0, "void": 50}}
    entropy = -(0.8 * math.log(0.8) + 0.2 * math.log(0.2))
    assert guess(pixels, {"semantic": SEMANTIC}, False) == pytest.approx((math.log(3), entropy))
    alike, frequency = guess(pixels, {"semantic": SEMANTIC}, True)  # balanced: the two classes count the same
    assert frequency == pytest.approx(alike * math.log(2) / math.log(3))


def test_one_class_is_no_sign_early_nor_where_the_labels_have_no_other() -> None:
    maps = [{"semantic": np.array([[0, 1, 255]], np.uint8)}]
    same = [{"semantic": np.zeros((1, 3), np.uint8)}]
    heads = {"semantic": SEMANTIC}
    assert of_labels(49, 100, maps, same, heads) == of_labels(99, 100, same, same, heads) == ""
    assert of_labels(99, 100, maps, maps, heads) == of_labels(99, 100, maps, [], heads) == ""
    assert of_labels(50, 100, maps, same, heads).endswith("whose labels have 2 classes, are background")
