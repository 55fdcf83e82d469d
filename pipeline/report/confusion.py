"""What is taken for what: a net's counts as a map of shares, and its commonest mistakes in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, PowerNorm

from pipeline.published import ladder
from pipeline.report import hist
from pipeline.report.figures import Figures, drawing, escaped
from pipeline.report.hist import Counts

CELL = 0.125  # inches a class takes
SHARES = LinearSegmentedColormap.from_list("shares", ["#2f6fd000", "#2f6fd0ff"])  # from nothing, on any page, to blue
GAMMA = 0.5  # the square root: shares of a few per cent are what one looks for
TOLD = 5


def section(evaluations: Path, recipes: Sequence[str], figures: Figures) -> Iterator[str]:
    """Of the finest net of each data set's first ladder; Markdown, nothing where none left its counts."""
    nets = [(recipe, found) for recipe in ladder.finest(recipes) if (found := hist.read(evaluations, recipe))]
    if not nets:
        return
    yield "## Confusions"
    yield (
        "Rows are true classes, columns what the finest net of each data set predicts; the darker, the larger the "
        "share of the row's pixels, on a square-root scale. Beneath each map stand its commonest confusions."
    )
    for recipe, found in nets:
        for head in sorted(found, key=ladder.head_order):
            counts = found[head]
            heads = f", {head} head" if len(found) > 1 else ""
            yield f"### {ladder.dataset(recipe)}{heads}: {recipe}"
            yield _chart(recipe, head, counts, figures)
            yield "\n".join(f"{rank}. {line}" for rank, line in enumerate(commonest(counts), 1))


def _chart(recipe: str, head: str, counts: Counts, figures: Figures) -> str:
    side, places = CELL * len(counts.classes) + 1.2, range(len(counts.classes))
    with drawing(max(side, 2.6), max(side, 2.6)) as figure:
        axes = figure.subplots()
        axes.imshow(np.nan_to_num(counts.rows()), cmap=SHARES, norm=PowerNorm(GAMMA, 0, 1), interpolation="nearest")
        axes.set_xticks(places, counts.classes, rotation=90, fontsize=6)
        axes.set_yticks(places, counts.classes, fontsize=6)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        axes.grid(visible=False)
        alt = f"Confusion matrix of {recipe}, {head} head; {next(iter(commonest(counts)), 'it confuses nothing')}"
        return figures.chart(f"confusion-{recipe}-{head}", alt.replace("\\", "").replace("*", ""), figure)


def commonest(counts: Counts) -> list[str]:
    """At most ``TOLD`` lines of Markdown, the pair of classes with the most pixels first."""
    wrong = counts.pixels.copy()
    np.fill_diagonal(wrong, 0)
    total, lines = counts.pixels.sum(), []
    for place in np.argsort(-wrong, axis=None, kind="stable")[:TOLD]:
        true, predicted = np.unravel_index(place, wrong.shape)
        if pixels := wrong[true, predicted]:
            share = pixels / counts.pixels[true].sum()
            pair = f"**{escaped(counts.classes[true])}** taken for **{escaped(counts.classes[predicted])}**"
            lines.append(f"{pair}: {share:.1%} of it, {pixels / total:.1%} of all pixels")
    return lines
