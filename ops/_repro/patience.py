"""Ask who may be far away, and go on without an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def within(seconds: float, ask: Callable[[], Answer], otherwise: Answer) -> Answer:
    """What ``ask`` answers; ``otherwise`` where it raises, or takes longer: then its thread is left behind."""
    heard: list[Answer] = []

    def listen() -> None:
        try:
            heard.append(ask())
        except Exception:
            return

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    thread.join(seconds)
    return heard[0] if heard else otherwise
