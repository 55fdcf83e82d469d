"""The order is a pure function: the same in every process, even over the samples, however it is cut."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

from pipeline.training.order import drawn

ROOT = Path(__file__).parents[2]


def test_is_the_same_in_another_process() -> None:
    source = "from pipeline.training.order import drawn; print([drawn(1337, draw, 8498) for draw in range(20)])"
    there = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == str([drawn(1337, draw, 8498) for draw in range(20)])


def test_is_frozen() -> None:
    """Every published history depends on these numbers."""
    assert [drawn(1337, draw, 8498) for draw in range(5)] == [7994, 6524, 7645, 7976, 5076]


def test_is_uniform_with_replacement() -> None:
    n, draws = 100, 20_000
    counts = Counter(drawn(1, draw, n) for draw in range(draws))
    chi2 = sum((counts[index] - draws / n) ** 2 / (draws / n) for index in range(n))
    assert abs(chi2 - (n - 1)) < 5 * math.sqrt(2 * (n - 1))
    assert any(a == b for a, b in pairwise(drawn(1, draw, n) for draw in range(1000)))


def test_seeds_and_draws_are_independent() -> None:
    orders = {seed: tuple(drawn(seed, draw, 1000) for draw in range(50)) for seed in range(20)}
    assert len(set(orders.values())) == 20
    assert drawn(1, 23, 10**9) != drawn(12, 3, 10**9)  # "1/23" and "12/3" must not meet


def test_stays_in_range() -> None:
    assert {drawn(5, draw, 1) for draw in range(10)} == {0}
    assert {drawn(5, draw, 3) for draw in range(100)} == {0, 1, 2}
