"""The loss by iteration as a table of at most 300 rows, comparable between recipes and free of clocks."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core import files

ROWS = 300


@dataclass(frozen=True, kw_only=True)
class Tally:
    """One iteration by head: the loss summed over valid pixels, and how many there were."""

    loss: Mapping[str, float]
    count: Mapping[str, int]

    def per_pixel(self) -> float:
        """Mean loss per valid pixel, added over heads; a head without valid pixels adds 0."""
        return sum(self.loss[head] / max(self.count[head], 1) for head in self.loss)


class History:
    """Averages tallies over windows of ``every`` iterations; ``rows`` are (iterations done, loss per valid pixel).

    Per pixel whatever the recipe's reduction, so summed and mean recipes lie on one axis.
    """

    def __init__(self, iterations: int) -> None:
        self.iterations = iterations
        self.every = math.ceil(iterations / ROWS)
        self.rows: list[tuple[int, float]] = []
        self._loss: defaultdict[str, float] = defaultdict(float)
        self._count: defaultdict[str, int] = defaultdict(int)

    def add(self, iteration: int, tally: Tally) -> None:
        """Take in iteration ``iteration``, counted from 0."""
        for head, loss in tally.loss.items():
            self._loss[head] += loss
            self._count[head] += tally.count[head]
        done = iteration + 1
        if done % self.every == 0 or done == self.iterations:
            self.rows.append((done, Tally(loss=self._loss, count=self._count).per_pixel()))
            self._loss.clear()
            self._count.clear()

    def state(self) -> dict[str, Any]:
        """All that was added, as plain values that JSON holds exactly: the rows, and the open window's sums."""
        return {"rows": list(self.rows), "loss": dict(self._loss), "count": dict(self._count)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on as the history that gave ``state``; sums keep the order of their heads."""
        self.rows = [(done, loss) for done, loss in state["rows"]]
        self._loss = defaultdict(float, state["loss"])
        self._count = defaultdict(int, state["count"])

    def write(self, path: Path) -> None:
        """A header and one ``iteration<TAB>loss`` row per window, losses to six decimals."""
        lines = ["iteration\tloss", *(f"{done}\t{round(loss, 6)!r}" for done, loss in self.rows)]
        with files.replacing(path) as scratch:
            scratch.write_text("\n".join(lines) + "\n", encoding="utf-8")
