"""Learning curves: loss by iteration of every recipe, a chart for each data set and backbone."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator
from numpy.typing import NDArray

from pipeline.core.types import Refusal
from pipeline.published import ladder
from pipeline.report.figures import HEIGHT, Figures, color, drawing
from pipeline.report.left import left

CURVE = "history.tsv"
DASHES = ("-", "--", ":", "-.")
WINDOW = 15  # rows of a curve that its line is the mean of: 5 % of a training
Curve = NDArray[np.float64]  # rows of (iteration, loss per valid pixel)


def read(evaluations: Path, recipes: Sequence[str]) -> dict[str, Curve]:
    """The curve of each recipe that has one. Raises Refusal for a file that is none."""
    return left(evaluations, recipes, CURVE, _read)


def _read(path: Path) -> Curve:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [(float(row["iteration"]), float(row["loss"])) for row in csv.DictReader(file, delimiter="\t")]
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(f"{path} is no learning curve ({error!r}): run its evaluate stage again") from None
    if not rows:
        raise Refusal(f"{path} has no rows: run its evaluate stage again")
    return np.array(rows)


def section(curves: Mapping[str, Curve], figures: Figures) -> Iterator[str]:
    """Markdown, nothing where there are no curves."""
    if not curves:
        return
    yield "## Learning curves"
    yield (
        "Loss per valid pixel by iteration, on a logarithmic axis: pale as the evaluation kept it, in full colour the "
        f"mean of {WINDOW} such points. A colour is a stride; dashes tell variants of it apart. A net that starts from "
        "a coarser one's weights begins about where that one's curve ends."
    )
    groups: dict[tuple[str, str], list[str]] = {}
    for recipe in sorted(curves, key=ladder.place):
        groups.setdefault((ladder.dataset(recipe), ladder.backbone(recipe)), []).append(recipe)
    yield "\n".join(_chart(*group, {name: curves[name] for name in names}, figures) for group, names in groups.items())


def _chart(dataset: str, backbone: str, curves: Mapping[str, Curve], figures: Figures) -> str:
    seen: dict[int, int] = {}
    with drawing(height=HEIGHT + 0.14 * len(curves)) as figure:
        axes = figure.subplots()
        for recipe, curve in curves.items():
            stride = ladder.stride(recipe)
            dash = DASHES[seen.setdefault(stride, 0) % len(DASHES)]
            seen[stride] += 1
            axes.plot(*curve.T, color=color(stride), alpha=0.18, linewidth=0.6)
            axes.plot(*smooth(curve).T, color=color(stride), linestyle=dash, label=recipe)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_title(f"{dataset}, {backbone}")
        axes.set_xlabel("iteration")
        axes.set_ylabel("loss per pixel")
        figure.legend(loc="outside lower left", ncols=2)
        alt = f"Loss by iteration on {dataset} with {backbone}: " + ", ".join(map(_ended, curves, curves.values()))
        return figures.chart(f"loss-{next(iter(curves)).partition('-')[0]}-{backbone}", alt, figure)


def smooth(curve: Curve) -> Curve:
    """Running means of ``WINDOW`` rows, or of as many as there are."""
    width = min(WINDOW, len(curve))
    kernel = np.ones(width) / width
    return np.stack([np.convolve(column, kernel, mode="valid") for column in curve.T], axis=1)


def _ended(recipe: str, curve: Curve) -> str:
    return f"{recipe} ends at {smooth(curve)[-1, 1]:.3g}"
