"""How often each class occurs, as bars: one panel per split, one row per class, in the classes' own colours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.core.types import LabelSpec

ROW = 0.2  # inches a class takes
LEAST = 1e-6  # share at the left edge: a class rarer than a pixel in a million looks absent


def bars(path: Path, title: str, label: LabelSpec, shares: Mapping[str, Mapping[str, float]]) -> None:
    """Write a PNG of ``shares`` ({split: {class: share of labelled pixels}}) on a logarithmic scale.

    Classes stand in the label's order, so that the same row is the same class in every picture.
    """
    height = 1.1 + ROW * len(label.classes)
    figure = Figure(figsize=(2.0 + 2.6 * len(shares), height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(shares), sharey=True, squeeze=False)[0]
    places = range(len(label.classes))
    colors = [tuple(channel / 255 for channel in color) for color in label.palette]
    for axes, (split, share) in zip(panels, shares.items(), strict=True):
        widths = [share[name] for name in label.classes]
        axes.barh(places, widths, color=colors, edgecolor="grey", linewidth=0.4)
        axes.set_xscale("log")
        axes.set_xlim(LEAST, 1.0)
        axes.set_title(split, fontsize=10)
        axes.grid(axis="x", linewidth=0.4, alpha=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=8)
        for place in (place for place in places if not widths[place]):
            axes.text(LEAST * 1.3, place, "absent", fontsize=7, va="center", color="firebrick")
    panels[0].set_yticks(places, label.classes)
    panels[0].invert_yaxis()
    figure.supxlabel("share of labelled pixels", fontsize=9)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, format="png", metadata={"Software": None})  # its version, which is no part of the picture
