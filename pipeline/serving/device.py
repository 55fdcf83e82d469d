"""Where a served net computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def chosen(name: str) -> torch.device:
    """``name``'s device: cpu, cuda, or auto, which is a GPU where there is one."""
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


@contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Compute in ``number`` CPU threads, None for torch's own, and put back what others in this process had."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
