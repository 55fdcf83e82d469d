"""Charts with a colour for each stride: loss, scores by class, by boundary and by size; and maps of confusions."""

from collections.abc import Mapping

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

from pipeline.core.types import drawable
from pipeline.published import ladder
from pipeline.report import page
from pipeline.report.figures import FAINT, HEIGHT, LETTERS, Figures, color, escaped
from pipeline.report.inputs import SIZES, Counts, Curve, Heads, Limits, by_ladder

DASHES = ("-", "--", ":", "-.")
WINDOW = 15  # rows of a curve that its line is the mean of: 5 % of a training
BAR = 0.8  # of the room between two sizes, for all bars together
LINE = 0.135  # inches a class takes among dots
CELL = 0.125  # inches a class takes in a map
BLUES = LinearSegmentedColormap.from_list("shares", ["#2f6fd000", "#2f6fd0ff"])  # from nothing, on any page, to blue
ROOT = PowerNorm(0.5, 0, 1)  # shares of a few per cent are what one looks for
MOST = 5  # confusions that are written out


def curves(found: Mapping[str, Curve], figures: Figures) -> str:
    """Markdown, a chart for each data set and backbone."""
    groups: dict[tuple[str, str], dict[str, Curve]] = {}
    for recipe in sorted(found, key=ladder.place):
        groups.setdefault((ladder.dataset(recipe), ladder.backbone(recipe)), {})[recipe] = found[recipe]
    return "\n".join(_losses(*group, nets, figures) for group, nets in groups.items())


def _losses(dataset: str, backbone: str, nets: Mapping[str, Curve], figures: Figures) -> str:
    name = f"loss-{next(iter(nets)).partition('-')[0]}-{backbone}"
    strides: list[int] = []
    height = HEIGHT + 0.14 * len(nets)
    with figures.chart(name, f"{dataset}, {backbone}", "iteration", "loss per pixel", height=height) as axes:
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


def milestones(found: Heads[Curve], figures: Figures) -> str:
    """Markdown, a chart of the first head of all nets whose milestones were scored, then the best and the last of each.

    A ring is the best.
    """
    if not found:
        return ""
    lines, name = [], "milestones"
    with figures.chart(name, "Validation", "iteration", "mean IU, %", height=HEIGHT + 0.14 * len(found)) as axes:
        for recipe in sorted(found, key=ladder.place):
            curve = next(iter(found[recipe].values()))
            best, last, shade = curve[curve[:, 1].argmax()], curve[-1], color(ladder.stride(recipe))
            axes.plot(*curve.T, ".-", color=shade, label=recipe)
            axes.plot(*best, "o", color=shade, markersize=8, markerfacecolor="none")
            end = f"{last[1]:.1f} after the last, {last[0]:,.0f}"
            lines.append(f"{recipe}: best after {best[0]:,.0f} iterations with {best[1]:.1f}, {end}")
    shown = figures.shown(f"{name}.svg", f"Mean IU by iteration on the validation split: {'; '.join(lines)}")
    return "\n\n".join([shown, "\n".join(f"* {line}" for line in lines)])


def smooth(curve: Curve) -> Curve:
    """Running means of ``WINDOW`` rows, or of as many as there are."""
    width = min(WINDOW, len(curve))
    kernel = np.ones(width) / width
    return np.stack([np.convolve(column, kernel, mode="valid") for column in curve.T], axis=1)


def limits(found: Heads[Limits], figures: Figures) -> tuple[str, str]:
    """Markdown, a chart for each ladder and head: mean IU by width of a band about boundaries; by size of objects."""
    banded = [(head, {recipe: one for recipe, one in nets.items() if one.trimap}) for head, nets in by_ladder(found)]
    drawn = [(_trimap(*each, figures), _sizes(*each, figures)) for each in banded if each[1]]
    return "\n".join(bands for bands, _ in drawn), "\n".join(sizes for _, sizes in drawn)


def _trimap(head: str, nets: Mapping[str, Limits], figures: Figures) -> str:
    first = next(iter(nets))
    name, title = f"trimap-{first}-{head}", ladder.title(first, head)
    x, height = "pixels on each side of a boundary", HEIGHT + 0.1 * len(nets)
    with figures.chart(name, title, x, "mean IU, %", height=height) as axes:
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
    x, height = "share of the image; objects", HEIGHT + 0.1 * len(nets)
    with figures.chart(name, title, x, "mean IU, %", height=height) as axes:
        for rank, (recipe, one) in enumerate(nets.items()):
            left, heights = places - BAR / 2 + (rank + 0.5) * width, [score or 0.0 for _, score in one.sizes]
            axes.bar(left, heights, 0.92 * width, color=color(ladder.stride(recipe)), label=recipe)
        sizes = zip(SIZES.values(), nets[first].sizes, strict=True)
        axes.set_xticks(places, [f"{size}\n{objects}" for size, (objects, _) in sizes])
        axes.grid(axis="x", visible=False)
    ends = (
        f"{recipe} {page.percent(one.sizes[0][1])} % to {page.percent(one.sizes[-1][1])} %"
        for recipe, one in nets.items()
    )
    alt = f"Mean IU of the smallest to the largest objects, {title}: {', '.join(ends)}"
    return figures.shown(f"{name}.svg", alt)


def classes(found: Heads[Counts], figures: Figures) -> str:
    """Markdown, IU by class, a chart for each ladder and head."""
    return "\n".join(_classes(head, nets, figures) for head, nets in by_ladder(found))


def _classes(head: str, nets: Mapping[str, Counts], figures: Figures) -> str:
    names, known = [*nets], [*nets.values()][-1].classes
    scores = np.stack([one.iu() for one in nets.values()])
    rank = np.argsort(np.nan_to_num(scores[-1], nan=-1.0), kind="stable")
    order = [place for place in rank if not np.isnan(scores[:, place]).all()]
    classes, scores, places = [known[place] for place in order], scores[:, order], range(len(order))
    name, title = f"classes-{names[-1]}-{head}", ladder.title(names[0], head)
    with figures.chart(name, title, "IU, %", "", height=0.95 + LINE * len(order)) as axes:
        axes.hlines(places, np.nanmin(scores, 0), np.nanmax(scores, 0), color=FAINT, linewidth=1, alpha=0.6)
        for recipe, row in zip(names, scores, strict=True):
            axes.plot(row, places, "o", color=color(ladder.stride(recipe)), markersize=3.2, label=recipe)
        axes.set_yticks(places, drawable(classes, LETTERS, map(int, order)), fontsize=6.5)
        axes.set_ylim(-0.7, len(order) - 0.3)
        axes.set_xlim(-2, 102)
        axes.grid(axis="y", visible=False)
    alt = f"IU by class, {title}, {' and '.join(names)}: {names[-1]} has {classes[-1]} best, {classes[0]} worst"
    return figures.shown(f"{name}.svg", alt)


def confusions(found: Heads[Counts], figures: Figures) -> str:
    """Markdown, a map for each head of the finest net of each data set."""
    blocks = []
    for recipe in ladder.finest(found):
        for head in sorted(found[recipe], key=ladder.head_order):
            heads = f", {head} head" if len(found[recipe]) > 1 else ""
            blocks.append(f"### {ladder.dataset(recipe)}{heads}: {recipe}")
            blocks.append(_confusion(recipe, head, found[recipe][head], figures))
            blocks.append("\n".join(f"{rank}. {line}" for rank, line in enumerate(commonest(found[recipe][head]), 1)))
    return "\n\n".join(blocks)


def _confusion(recipe: str, head: str, counts: Counts, figures: Figures) -> str:
    side, places = max(CELL * len(counts.classes) + 1.2, 2.6), range(len(counts.classes))
    shares = counts.pixels / np.maximum(counts.pixels.sum(1, keepdims=True), 1)
    name = f"confusion-{recipe}-{head}"
    with figures.chart(name, "", "predicted", "true", width=side, height=side) as axes:
        axes.imshow(shares, cmap=BLUES, norm=ROOT, interpolation="nearest")
        names = drawable(counts.classes, LETTERS)
        axes.set_xticks(places, names, rotation=90, fontsize=6)
        axes.set_yticks(places, names, fontsize=6)
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
