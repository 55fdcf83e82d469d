"""What was taken for what: a head's histogram as a table of its classes and as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from pipeline.tracking.record import Confusion

CELL = 0.34  # inches
COLORS = "Blues"  # one hue from light to dark, the same to the colour-blind
TOLD = 0.5  # percent: a share that rounds to none is left out
ABSENT = "#e4e4e4"
RIGHT = "#e08214"  # an orange around the diagonal, which no blue can be taken for


def table(confusion: Confusion) -> dict[str, list[str] | list[int] | list[float | None]]:
    """Columns ``class``, ``iu`` (a fraction; None without a true pixel), ``true pixels``, ``predicted pixels``."""
    counts = confusion.counts
    true, predicted, right = counts.sum(1).tolist(), counts.sum(0).tolist(), counts.diagonal().tolist()
    return {
        "class": list(confusion.classes),
        "iu": [r / (t + p - r) if t else None for t, p, r in zip(true, predicted, right, strict=True)],
        "true pixels": true,
        "predicted pixels": predicted,
    }


def shares(confusion: Confusion) -> NDArray[np.float64]:
    """Each row's counts in percent of the class's true pixels; NaN in the row of a class without any."""
    true = confusion.counts.sum(1, keepdims=True)
    return np.where(true, 100 * confusion.counts / np.maximum(true, 1), np.nan)


def read(path: Path) -> dict[str, Confusion]:
    """Each head's histogram in a hist.parquet, as the stage evaluate writes it."""
    rows = pq.read_table(path).to_pylist()
    found = {}
    for head in dict.fromkeys(row["head"] for row in rows):
        cells = [row for row in rows if row["head"] == head]
        classes = tuple(dict.fromkeys(row["truth"] for row in cells))
        place = {name: i for i, name in enumerate(classes)}
        counts = np.zeros((len(classes),) * 2, np.int64)
        for row in cells:
            counts[place[row["truth"]], place[row["predicted"]]] = row["pixels"]
        found[head] = Confusion(classes, counts)
    return found


def draw(title: str, confusion: Confusion) -> Figure:
    """A square of ``confusion``'s shares, from 2 classes to 40 with the same cells; the numbers are whole percent.

    Colours go by the root of a share, so that a tenth of a class, wrongly seen, is seen.
    """
    n = len(confusion.classes)
    longest = max(map(len, confusion.classes)) * 0.085  # inches of its name
    figure = Figure(figsize=(n * CELL + longest + 2.2, n * CELL + longest + 1.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes, percent = figure.subplots(), shares(confusion)
    axes.set_facecolor(ABSENT)
    image = axes.imshow(percent, cmap=COLORS, norm=PowerNorm(0.5, 0, 100))
    axes.set_xticks(range(n), confusion.classes, rotation=90, fontsize=9)
    axes.set_yticks(range(n), confusion.classes, fontsize=9)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("predicted", fontsize=10)
    axes.set_ylabel("true", fontsize=10)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(n + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(n + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#e8e8e8", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    for right in range(n):
        axes.add_patch(Rectangle((right - 0.5, right - 0.5), 1, 1, fill=False, edgecolor=RIGHT, linewidth=1.2))
    for row, column, text, color in _texts(percent):
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=7)
    figure.colorbar(image, ax=axes, shrink=min(1.0, 6 / n), ticks=[0, 5, 20, 50, 100]).set_label(
        "% of the class's true pixels", fontsize=9
    )
    figure.suptitle(title, fontsize=11)
    return figure


def _texts(percent: NDArray[np.float64]) -> Iterator[tuple[int, int, str, str]]:
    for row, cells in enumerate(percent):
        if np.isnan(cells).all():
            yield row, len(cells) // 2, "no true pixel", "black"
        for column in np.flatnonzero(cells >= TOLD).tolist():
            yield row, column, f"{cells[column]:.0f}", "white" if cells[column] > 35 else "black"
