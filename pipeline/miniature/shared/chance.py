"""Random draws that are a pure function of a seed and names. All come from integers, so no libm takes part."""

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]
Color = tuple[float, float, float]
"""RGB, 0–1."""

T = TypeVar("T")


class Chance:
    """A stream of draws: the same arguments give the same stream, in any process and whatever else is drawn."""

    def __init__(self, seed: int, *names: str) -> None:
        digest = hashlib.sha256("/".join((str(seed), *names)).encode()).digest()
        self._bits = random.Random(int.from_bytes(digest[:16], "little"))

    def whole(self, low: int, high: int) -> int:
        """An integer in [low, high)."""
        return low + (self._bits.getrandbits(32) * (high - low) >> 32)

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * (self._bits.getrandbits(32) / 4294967296.0)

    def happens(self, share: float) -> bool:
        """True in ``share`` of all draws."""
        return self.between(0.0, 1.0) < share

    def pick(self, values: Sequence[T]) -> T:
        """One of ``values``, each as likely."""
        return values[self.whole(0, len(values))]

    def order(self, count: int) -> list[int]:
        """The numbers 0 … count − 1, shuffled."""
        keys = [self._bits.getrandbits(64) for _ in range(count)]
        return sorted(range(count), key=keys.__getitem__)

    def turn(self, most: float = 1.0) -> tuple[float, float]:
        """Cosine and sine of an angle of up to 2·arctan(most) to either side: 90° by default. No sine is computed."""
        t = self.between(-most, most)
        return (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)

    def raw(self, *shape: int) -> NDArray[np.uint8]:
        """Bytes, each value as likely."""
        count = 1
        for length in shape:
            count *= length
        words = np.random.PCG64(self._bits.getrandbits(64)).random_raw((count + 7) // 8)
        return words.view(np.uint8)[:count].reshape(shape)

    def normal(self, *shape: int) -> Field:
        """Mean 0, standard deviation 1: the sum of four bytes, so never beyond 3.5."""
        total = self.raw(4, *shape).sum(axis=0, dtype=np.int64)
        return np.asarray((total - 510) / 147.8, np.float64)  # 147.8² = 4 · (256² − 1) / 12
