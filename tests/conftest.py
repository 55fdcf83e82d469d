"""Tests compute as stages do: torch's kernels are pinned before any test imports it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline import determinism

# determinism pins torch's kernels, so torch comes after it
# isort: split
import torch


@pytest.fixture
def flags() -> Iterator[None]:
    """Puts back what ``determinism.start`` sets for the whole process."""
    assert not determinism.UNPINNED
    mode, threads = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    yield
    torch.set_deterministic_debug_mode(mode)
    torch.set_num_threads(threads)
