"""Class by class: what each stride reaches as dots on a line, and what the finest net takes for what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, PowerNorm

from pipeline.published import ladder
from pipeline.report.figures import FAINT, Figures, color, escaped
from pipeline.report.inputs import Counts, Heads, by_ladder

LINE = 0.135  # inches a class takes among dots
CELL = 0.125  # inches a class takes in a map
BLUES = LinearSegmentedColormap.from_list("shares", ["#2f6fd000", "#2f6fd0ff"])  # from nothing, on any page, to blue
GAMMA = 0.5  # the square root: shares of a few per cent are what one looks for
MOST = 5  # confusions that are written out


def scores(found: Heads[Counts], figures: Figures) -> Iterator[str]:
    """Markdown, a chart for each ladder and head; nothing where no net has counts."""
    charts = [_scores(head, nets, figures) for head, nets in by_ladder(found)]
    if charts:
        yield "## Class by class"
        yield (
            "IU of each class, a dot for each stride, sorted by the finest net's. The line spans what the strides make "
            "of it. A class that no image shows and no net predicts is left out."
        )
        yield "\n".join(charts)


def _scores(head: str, nets: Mapping[str, Counts], figures: Figures) -> str:
    names, known = [*nets], [*nets.values()][-1].classes
    scores = np.stack([one.iu() for one in nets.values()])
    rank = np.argsort(np.nan_to_num(scores[-1], nan=-1.0), kind="stable")
    order = [place for place in rank if not np.isnan(scores[:, place]).all()]
    classes, scores, places = [known[place] for place in order], scores[:, order], range(len(order))
    name, title = f"classes-{names[-1]}-{head}", ladder.title(names[0], head)
    with figures.chart(name, height=0.95 + LINE * len(order), title=title, xlabel="IU, %") as axes:
        axes.hlines(places, np.nanmin(scores, 0), np.nanmax(scores, 0), color=FAINT, linewidth=1, alpha=0.6)
        for recipe, row in zip(names, scores, strict=True):
            axes.plot(row, places, "o", color=color(ladder.stride(recipe)), markersize=3.2, label=recipe)
        axes.set_yticks(places, classes, fontsize=6.5)
        axes.set_ylim(-0.7, len(order) - 0.3)
        axes.set_xlim(-2, 102)
        axes.grid(axis="y", visible=False)
    alt = f"IU by class, {title}, {' and '.join(names)}: {names[-1]} has {classes[-1]} best, {classes[0]} worst"
    return figures.shown(f"{name}.svg", alt)


def confusions(found: Heads[Counts], figures: Figures) -> Iterator[str]:
    """Of the finest net of each data set; Markdown, nothing where none has counts."""
    if found:
        yield "## Confusions"
        yield (
            "Rows are true classes, columns what the finest net of each data set predicts; the darker, the larger the "
            "share of the row's pixels, on a square-root scale. Beneath each map stand its commonest confusions."
        )
    for recipe in ladder.finest(found):
        for head in sorted(found[recipe], key=ladder.head_order):
            heads = f", {head} head" if len(found[recipe]) > 1 else ""
            yield f"### {ladder.dataset(recipe)}{heads}: {recipe}"
            yield _confusion(recipe, head, found[recipe][head], figures)
            yield "\n".join(f"{rank}. {line}" for rank, line in enumerate(commonest(found[recipe][head]), 1))


def _confusion(recipe: str, head: str, counts: Counts, figures: Figures) -> str:
    side, places = max(CELL * len(counts.classes) + 1.2, 2.6), range(len(counts.classes))
    shares = counts.pixels / np.maximum(counts.pixels.sum(1, keepdims=True), 1)
    name = f"confusion-{recipe}-{head}"
    with figures.chart(name, side, side, xlabel="predicted", ylabel="true") as axes:
        axes.imshow(shares, cmap=BLUES, norm=PowerNorm(GAMMA, 0, 1), interpolation="nearest")
        axes.set_xticks(places, counts.classes, rotation=90, fontsize=6)
        axes.set_yticks(places, counts.classes, fontsize=6)
        axes.grid(visible=False)
    alt = f"Confusion matrix of {recipe}, {head} head; {next(iter(commonest(counts)), 'it confuses nothing')}"
    return figures.shown(f"{name}.svg", alt.replace("\\", "").replace("*", ""))


def commonest(counts: Counts) -> list[str]:
    """At most ``MOST`` lines of Markdown, the pair of classes with the most pixels first."""
    wrong = counts.pixels.copy()
    np.fill_diagonal(wrong, 0)
    total, lines = counts.pixels.sum(), []
    for place in np.argsort(-wrong, axis=None, kind="stable")[:MOST]:
        true, predicted = np.unravel_index(place, wrong.shape)
        if pixels := wrong[true, predicted]:
            share = pixels / counts.pixels[true].sum()
            pair = f"**{escaped(counts.classes[true])}** taken for **{escaped(counts.classes[predicted])}**"
            lines.append(f"{pair}: {share:.1%} of it, {pixels / total:.1%} of all pixels")
    return lines
