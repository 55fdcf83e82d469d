"""Charts with a colour for each stride: loss by iteration, and where nets err by boundary and by object size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

from pipeline.published import ladder
from pipeline.report import page
from pipeline.report.figures import HEIGHT, Figures, color
from pipeline.report.inputs import Curve, Heads, Limits, by_ladder

DASHES = ("-", "--", ":", "-.")
WINDOW = 15  # rows of a curve that its line is the mean of: 5 % of a training
SIZES = ("< 1 %", "1–4 %", "4–16 %", "> 16 %")  # of the image's pixels
BAR = 0.8  # of the room between two sizes, for all bars together


def curves(found: Mapping[str, Curve], figures: Figures) -> Iterator[str]:
    """Markdown, a chart for each data set and backbone; nothing where there are no curves."""
    groups: dict[tuple[str, str], dict[str, Curve]] = {}
    for recipe in sorted(found, key=ladder.place):
        groups.setdefault((ladder.dataset(recipe), ladder.backbone(recipe)), {})[recipe] = found[recipe]
    if groups:
        yield "## Learning curves"
        yield (
            "Loss per valid pixel by iteration, on a logarithmic axis: pale as the evaluation kept it, in full colour "
            f"the mean of {WINDOW} such points. A colour is a stride; dashes tell variants of it apart. A net that "
            "starts from a coarser one's weights begins about where that one's curve ends."
        )
        yield "\n".join(_losses(*group, nets, figures) for group, nets in groups.items())


def _losses(dataset: str, backbone: str, nets: Mapping[str, Curve], figures: Figures) -> str:
    name = f"loss-{next(iter(nets)).partition('-')[0]}-{backbone}"
    texts = {"title": f"{dataset}, {backbone}", "xlabel": "iteration", "ylabel": "loss per pixel"}
    strides: list[int] = []
    with figures.chart(name, height=HEIGHT + 0.14 * len(nets), **texts) as axes:
        for recipe, curve in nets.items():
            stride = ladder.stride(recipe)
            dash = DASHES[strides.count(stride) % len(DASHES)]
            strides.append(stride)
            axes.plot(*curve.T, color=color(stride), alpha=0.18, linewidth=0.6)
            axes.plot(*smooth(curve).T, color=color(stride), linestyle=dash, label=recipe)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.yaxis.set_minor_locator(NullLocator())
    ends = (f"{recipe} ends at {smooth(curve)[-1, 1]:.3g}" for recipe, curve in nets.items())
    return figures.shown(f"{name}.svg", f"Loss by iteration on {dataset} with {backbone}: {', '.join(ends)}")


def smooth(curve: Curve) -> Curve:
    """Running means of ``WINDOW`` rows, or of as many as there are."""
    width = min(WINDOW, len(curve))
    kernel = np.ones(width) / width
    return np.stack([np.convolve(column, kernel, mode="valid") for column in curve.T], axis=1)


def limits(found: Heads[Limits], figures: Figures) -> Iterator[str]:
    """Markdown, two charts for each ladder and head; nothing where no net has limits."""
    climbed = [(head, {name: one for name, one in nets.items() if one.trimap}) for head, nets in by_ladder(found)]
    ladders = [(head, nets) for head, nets in climbed if nets]
    if not ladders:
        return
    yield "## Boundaries and sizes"
    yield (
        "Mean IU of the pixels within a band about the true boundaries, by the pixels that it takes on each side (void "
        "settled to the nearest class): where a finer stride must show."
    )
    yield "\n".join(_trimap(head, nets, figures) for head, nets in ladders)
    yield (
        "Boundary F (Csurka and others, BMVC 2013): how much of the predicted outline lies within 0.75 % of the "
        "image's diagonal of the true one (precision), and the reverse (recall), in percent, mean over images."
    )
    rows = [
        [recipe, head, *map(page.percent, found[recipe][head].boundary)]
        for recipe in sorted(found, key=ladder.place)
        for head in sorted(found[recipe], key=ladder.head_order)
    ]
    yield page.table(["recipe", "head"], ["precision", "recall", "F"], rows)
    yield "Mean IU of single objects by their share of the image's pixels; beneath each size, how many there are."
    yield "\n".join(_sizes(head, nets, figures) for head, nets in ladders)


def _trimap(head: str, nets: Mapping[str, Limits], figures: Figures) -> str:
    first = next(iter(nets))
    name, title = f"trimap-{first}-{head}", ladder.title(first, head)
    texts = {"title": title, "xlabel": "pixels on each side of a boundary", "ylabel": "mean IU, %"}
    with figures.chart(name, height=HEIGHT + 0.1 * len(nets), **texts) as axes:
        for recipe, one in nets.items():
            axes.plot(*zip(*one.trimap, strict=True), "o-", color=color(ladder.stride(recipe)), ms=3, label=recipe)
        axes.set_xscale("log", base=2)
        widths = [width for width, _ in nets[first].trimap]
        axes.set_xticks(widths, [*map(str, widths)])
        axes.set_xticks([], minor=True)
        axes.set_ylim(bottom=0)
    ends = (f"{recipe} from {one.trimap[0][1]:.0f} to {one.trimap[-1][1]:.0f} %" for recipe, one in nets.items())
    return figures.shown(f"{name}.svg", f"Mean IU by band width, {title}: {', '.join(ends)}")


def _sizes(head: str, nets: Mapping[str, Limits], figures: Figures) -> str:
    first, width, places = next(iter(nets)), BAR / len(nets), np.arange(len(SIZES))
    name, title = f"sizes-{first}-{head}", ladder.title(first, head)
    texts = {"title": title, "xlabel": "share of the image; objects", "ylabel": "mean IU, %"}
    with figures.chart(name, height=HEIGHT + 0.1 * len(nets), **texts) as axes:
        for rank, (recipe, one) in enumerate(nets.items()):
            left, heights = places - BAR / 2 + (rank + 0.5) * width, [score or 0.0 for _, score in one.sizes]
            axes.bar(left, heights, 0.92 * width, color=color(ladder.stride(recipe)), label=recipe)
        sizes = zip(SIZES, nets[first].sizes, strict=True)
        axes.set_xticks(places, [f"{size}\n{objects}" for size, (objects, _) in sizes])
        axes.grid(axis="x", visible=False)
    ends = (
        f"{recipe} {page.percent(one.sizes[0][1])} % to {page.percent(one.sizes[-1][1])} %"
        for recipe, one in nets.items()
    )
    alt = f"Mean IU of the smallest to the largest objects, {title}: {', '.join(ends)}"
    return figures.shown(f"{name}.svg", alt)
