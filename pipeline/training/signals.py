"""SIGTERM and SIGINT ask the training to stop: they set a flag, and the loop ends between two iterations."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(SystemExit):
    """The training ended early because it was asked to; where nobody catches it, the process exits 143."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


@contextmanager
def noticed() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether a SIGTERM or SIGINT has come; call it in the main thread only.

    After a signal both stay ignored when the block ends, so that a second one does not cut the process's end short.
    """
    came = False

    def notice(_: int, __: FrameType | None) -> None:
        nonlocal came
        came = True

    before = {number: signal.signal(number, notice) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: came
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if came else handler)
