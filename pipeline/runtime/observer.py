"""What long work tells whoever looks on: numbers and pictures by step; nothing comes back."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.core.types import LabelSpec

Pixels = NDArray[np.uint8]


class Observer(Protocol):
    """Told while stages train and evaluate. It returns nothing, so no result can depend on it; nor may it raise."""

    def point(self, step: int, values: Mapping[str, float]) -> None:
        """``values`` by curve at ``step``; a step shown before, by a process that was killed, may come again."""

    def alarm(self, step: int, text: str) -> None:
        """At ``step`` the work looks futile, and ``text`` says why; it goes on all the same."""

    def labels(
        self,
        step: int,
        key: str,
        image: Pixels,
        truth: Mapping[str, Pixels],
        predicted: Mapping[str, Pixels],
        heads: Mapping[str, LabelSpec],
    ) -> None:
        """What the net makes of ``image`` (H×W×3 RGB), called ``key``, at ``step``: label maps H×W by head."""
