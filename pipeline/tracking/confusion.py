"""What was taken for what: a head's counts as a table of its classes and as a picture; and a font for their names."""

from collections.abc import Container, Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, findSystemFonts
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray

from pipeline.core.types import drawable

CELL = 0.34  # inches
SHOWN = 0.5  # percent: a share that rounds to none is left out

Counts = NDArray[np.int64]  # n×n pixels, rows = ground truth


def read(path: Path) -> dict[str, tuple[list[str], Counts]]:
    """Each head's classes and counts in a hist.parquet, as the stage evaluate writes it."""
    rows = pq.read_table(path).to_pylist()
    found = {}
    for head in dict.fromkeys(row["head"] for row in rows):
        cells = [row for row in rows if row["head"] == head]
        classes = list(dict.fromkeys(row["truth"] for row in cells))
        found[head] = classes, np.array([row["pixels"] for row in cells], np.int64).reshape(len(classes), -1)
    return found


def table(classes: Sequence[str], counts: Counts) -> dict[str, list[str] | list[int] | list[float | None]]:
    """Columns ``class``, ``iu`` (a fraction; None without a true pixel), ``true pixels``, ``predicted pixels``."""
    true, predicted, right = counts.sum(1).tolist(), counts.sum(0).tolist(), counts.diagonal().tolist()
    return {
        "class": list(classes),
        "iu": [r / (t + p - r) if t else None for t, p, r in zip(true, predicted, right, strict=True)],
        "true pixels": true,
        "predicted pixels": predicted,
    }


def draw(title: str, classes: Sequence[str], counts: Counts) -> Figure:
    """Each true class's pixels in whole percent by predicted class, from 2 classes to 40 with cells of one size."""
    n, true = len(classes), counts.sum(1, keepdims=True)
    percent = np.where(true, 100 * counts / np.maximum(true, 1), np.nan)
    path, names = covering(classes)
    font: dict[str, Any] = {"font": path, "fontsize": 9, "parse_math": False}  # a class may be called $
    figure = Figure(figsize=(n * CELL + max(map(len, classes)) * 0.085 + 1.5,) * 2, dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_facecolor("#e4e4e4")  # the row of a class without a true pixel
    axes.imshow(percent, cmap="Blues", norm=PowerNorm(0.5, 0, 100))  # a tenth of a class, wrongly seen, is seen
    axes.set_xticks(range(n), names, rotation=90, **font)
    axes.set_yticks(range(n), names, **font)
    axes.xaxis.tick_top()
    axes.set_xlabel("predicted")
    axes.set_ylabel("true, % of its pixels")
    for row, column in np.argwhere(np.nan_to_num(percent) >= SHOWN).tolist():
        color = "white" if percent[row, column] > 35 else "black"
        axes.text(column, row, f"{percent[row, column]:.0f}", ha="center", va="center", color=color, fontsize=7)
    figure.suptitle(title, fontsize=11)
    return figure


def covering(names: Sequence[str], places: Iterable[int] | None = None) -> tuple[Path, list[str]]:
    """A font and ``names`` as it can draw them; the indices, which are ``places``, of those with a letter it lacks."""
    path = _best("".join(sorted({*"".join(names)})))
    return path, drawable(names, _charmap(path), places)


@cache
def _best(letters: str) -> Path:
    """The font, DejaVu Sans or another of this machine, that lacks the fewest of ``letters``."""
    fewest, best = len(letters) + 1, Path()
    for path in map(Path, [findfont("DejaVu Sans"), *sorted(findSystemFonts())]):
        with suppress(RuntimeError, OSError):  # a broken file, or of a kind that matplotlib does not read
            if (lacking := sum(ord(letter) not in _charmap(path) for letter in letters)) < fewest:
                fewest, best = lacking, path
            if not fewest:
                break
    return best


@cache
def _charmap(path: Path) -> Container[int]:
    return FT2Font(path).get_charmap()
