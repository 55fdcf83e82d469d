"""Class by class: what each rung of a ladder reaches, as dots on a line per class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.published import ladder
from pipeline.report import hist
from pipeline.report.figures import FAINT, WIDTH, Figures, color, drawing
from pipeline.report.hist import Counts

LINE = 0.135  # inches a class takes


def section(evaluations: Path, recipes: Sequence[str], figures: Figures) -> Iterator[str]:
    """Markdown, nothing where no net left its counts."""
    charts = []
    for family in ladder.ladders(recipes):
        counts = {recipe: found for recipe in family if (found := hist.read(evaluations, recipe))}
        heads = sorted({head for found in counts.values() for head in found}, key=ladder.head_order)
        for head in heads:
            charts.append(_chart(head, {name: found[head] for name, found in counts.items() if head in found}, figures))
    if charts:
        yield "## Class by class"
        yield (
            "IU of each class, a dot for each stride, sorted by the finest net's. The line spans what the strides make "
            "of it. A class that no image shows and no net predicts is left out."
        )
        yield "\n".join(charts)


def _chart(head: str, counts: Mapping[str, Counts], figures: Figures) -> str:
    names, known = [*counts], [*counts.values()][-1].classes
    scores = 100 * np.stack([one.iu() for one in counts.values()])
    rank = np.argsort(np.nan_to_num(scores[-1], nan=-1.0), kind="stable")
    order = [place for place in rank if not np.isnan(scores[:, place]).all()]
    classes, scores = [known[place] for place in order], scores[:, order]
    with drawing(WIDTH, 0.95 + LINE * len(order)) as figure:
        axes = figure.subplots()
        axes.hlines(range(len(order)), np.nanmin(scores, 0), np.nanmax(scores, 0), color=FAINT, linewidth=1, alpha=0.6)
        for name, row in zip(names, scores, strict=True):
            axes.plot(row, range(len(order)), "o", color=color(ladder.stride(name)), markersize=3.2, label=name)
        axes.set_yticks(range(len(order)), classes, fontsize=6.5)
        axes.set_ylim(-0.7, len(order) - 0.3)
        axes.set_xlim(-2, 102)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("IU, %")
        title = ladder.title(names[0], head)
        axes.set_title(title)
        figure.legend(loc="outside lower left", ncols=2)
        alt = f"IU by class, {title}, {' and '.join(names)}: {names[-1]} has {classes[-1]} best, {classes[0]} worst"
        return figures.chart(f"classes-{names[-1]}-{head}", alt, figure)
