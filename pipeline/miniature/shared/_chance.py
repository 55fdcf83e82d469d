"""Random numbers that are a pure function of a seed and a name, wherever and in whatever order they are drawn."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, purpose: str, name: str) -> np.random.Generator:
    """A generator that is a pure function of its arguments."""
    digest = hashlib.sha256(f"{purpose}/{name}".encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest[:16], "<u4").tolist()])
