"""The counts that an evaluation left: which class was predicted where which one is true, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.core.types import Refusal

HIST = "hist.parquet"


@dataclass(frozen=True, kw_only=True)
class Counts:
    """One head's ``pixels``, int64, a row for each true class and a column for each predicted one."""

    classes: Sequence[str]
    pixels: NDArray[np.int64]

    def iu(self) -> NDArray[np.float64]:
        """By class, as a fraction; NaN of a class that is neither true nor predicted anywhere."""
        hits = self.pixels.diagonal()
        union = self.pixels.sum(0) + self.pixels.sum(1) - hits
        return np.asarray(np.divide(hits, union, out=np.full(len(hits), np.nan), where=union > 0))

    def rows(self) -> NDArray[np.float64]:
        """Of each true class's pixels the share by predicted class; NaN of a class without pixels."""
        total = self.pixels.sum(1, keepdims=True)
        return np.asarray(np.divide(self.pixels, total, out=np.full(self.pixels.shape, np.nan), where=total > 0))


def read(evaluations: Path, recipe: str) -> dict[str, Counts]:
    """By head, empty where the evaluation has no such file here. Raises Refusal for a file that is no histogram."""
    path = evaluations / recipe / HIST
    if not path.is_file():
        return {}
    try:
        table = pq.read_table(path, columns=["head", "truth", "predicted", "pixels"])
        columns: dict[str, list[Any]] = {name: table[name].to_pylist() for name in table.column_names}
        return {head: _counts(columns, head) for head in dict.fromkeys(columns["head"])}
    except (pa.ArrowException, ValueError, KeyError, TypeError) as error:
        first = str(error).splitlines()[0]
        raise Refusal(f"{path} holds no histogram ({first}): run its evaluate stage again") from None


def _counts(columns: dict[str, list[Any]], head: str) -> Counts:
    """Of one head, whose rows come true class by true class."""
    rows = [place for place, name in enumerate(columns["head"]) if name == head]
    classes = list(dict.fromkeys(str(columns["truth"][place]) for place in rows))
    pixels = np.array([columns["pixels"][place] for place in rows], np.int64).reshape(len(classes), len(classes))
    return Counts(classes=classes, pixels=pixels)
