"""Where nets err: near boundaries by width, along outlines, and on objects by size."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.types import Refusal
from pipeline.published import ladder
from pipeline.report import page
from pipeline.report.figures import HEIGHT, Figures, color, drawing
from pipeline.report.left import left

LIMITS = "limits.json"
SIZES = {"lt01": "< 1 %", "01to04": "1–4 %", "04to16": "4–16 %", "gt16": "> 16 %"}  # of the image's pixels
BAR = 0.8  # of the room between two sizes, for all bars together
Heads = Mapping[str, Any]
Chart = Callable[[str, Mapping[str, Any], Figures], str]


def read(evaluations: Path, recipes: Sequence[str]) -> dict[str, Heads]:
    """Of each recipe that has them, by head. Raises Refusal for a file that holds none."""
    return left(evaluations, recipes, LIMITS, _read)


def _read(path: Path) -> Heads:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        heads = {head: limits for head, limits in tree.items() if isinstance(limits, dict)}
        for limits in heads.values():
            trimap({"trimap": limits["trimap"]}), [limits["boundary"][name] for name in ("precision", "recall", "f")]
            [(limits["size"][name]["objects"], limits["size"][name]["mean_iu"]) for name in SIZES]
        return heads
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(f"{path} holds no limits ({error!r}): run its evaluate stage again") from None


def trimap(limits: Mapping[str, Any]) -> list[tuple[int, float]]:
    """Half a band's width in pixels and mean IU in percent within it, of the bands that have pixels."""
    bands = ((int(name.removesuffix("px")), band["mean_iu"]) for name, band in limits.get("trimap", {}).items())
    return sorted((width, 100 * mean_iu) for width, mean_iu in bands if mean_iu is not None)


def section(found: Mapping[str, Heads], figures: Figures) -> Iterator[str]:
    """Markdown, nothing where no net left its limits."""
    families = [[recipe for recipe in family if recipe in found] for family in ladder.ladders(found)]
    ladders = {
        (family[0], head): {name: found[name][head] for name in family if trimap(found[name].get(head, {}))}
        for family in families
        for head in sorted(found[family[0]], key=ladder.head_order)
    }
    ladders = {key: nets for key, nets in ladders.items() if nets}
    if not ladders:
        return
    yield "## Boundaries and sizes"
    yield (
        "Mean IU of the pixels within a band about the true boundaries, by the pixels that it takes on each side (void "
        "settled to the nearest class): where a finer stride must show."
    )
    yield _charts(_trimap, ladders, figures)
    yield (
        "Boundary F (Csurka and others, BMVC 2013): how much of the predicted outline lies within 0.75 % of the "
        "image's diagonal of the true one (precision), and the reverse (recall), in percent, mean over images."
    )
    yield _outlines(found)
    yield ("Mean IU of single objects by their share of the image's pixels; beneath each size, how many there are.")
    yield _charts(_sizes, ladders, figures)


def _charts(chart: Chart, ladders: Mapping[tuple[str, str], Mapping[str, Any]], figures: Figures) -> str:
    return "\n".join(chart(head, nets, figures) for (_, head), nets in ladders.items())


def _trimap(head: str, nets: Mapping[str, Any], figures: Figures) -> str:
    first = next(iter(nets))
    with drawing(height=HEIGHT + 0.1 * len(nets)) as figure:
        axes = figure.subplots()
        for recipe, limits in nets.items():
            axes.plot(*zip(*trimap(limits), strict=True), "o-", color=color(ladder.stride(recipe)), ms=3, label=recipe)
        axes.set_title(ladder.title(first, head))
        axes.set_xscale("log", base=2)
        widths = [width for width, _ in trimap(nets[first])]
        axes.set_xticks(widths, [str(width) for width in widths])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("pixels on each side of a boundary")
        axes.set_ylabel("mean IU, %")
        axes.set_ylim(bottom=0)
        figure.legend(loc="outside lower left", ncols=2)
        told = (f"{recipe} from {trimap(one)[0][1]:.0f} to {trimap(one)[-1][1]:.0f} %" for recipe, one in nets.items())
        alt = f"Mean IU by band width, {ladder.title(first, head)}: {', '.join(told)}"
        return figures.chart(f"trimap-{first}-{head}", alt, figure)


def _outlines(found: Mapping[str, Heads]) -> str:
    rows = [
        [recipe, head, *(page.percent(_hundred(limits["boundary"][name])) for name in ("precision", "recall", "f"))]
        for recipe in sorted(found, key=ladder.place)
        for head, limits in sorted(found[recipe].items(), key=lambda one: ladder.head_order(one[0]))
    ]
    return page.table(["recipe", "head"], ["precision", "recall", "F"], rows)


def _sizes(head: str, nets: Mapping[str, Any], figures: Figures) -> str:
    first, width = next(iter(nets)), BAR / len(nets)
    places = np.arange(len(SIZES))
    with drawing(height=HEIGHT + 0.1 * len(nets)) as figure:
        axes = figure.subplots()
        for rank, (recipe, limits) in enumerate(nets.items()):
            heights = [_hundred(limits["size"][name]["mean_iu"]) or 0.0 for name in SIZES]
            left = places - BAR / 2 + (rank + 0.5) * width
            axes.bar(left, heights, 0.92 * width, color=color(ladder.stride(recipe)), label=recipe)
        counts = [nets[first]["size"][name]["objects"] for name in SIZES]
        axes.set_xticks(places, [f"{text}\n{count}" for text, count in zip(SIZES.values(), counts, strict=True)])
        axes.grid(axis="x", visible=False)
        axes.set_title(ladder.title(first, head))
        axes.set_xlabel("share of the image; objects")
        axes.set_ylabel("mean IU, %")
        figure.legend(loc="outside lower left", ncols=2)
        ends = (f"{name} {_told(one['size']['lt01'])} to {_told(one['size']['gt16'])}" for name, one in nets.items())
        alt = f"Mean IU of the smallest to the largest objects, {ladder.title(first, head)}: {', '.join(ends)}"
        return figures.chart(f"sizes-{first}-{head}", alt, figure)


def _hundred(score: float | None) -> float | None:
    return None if score is None else 100 * score


def _told(size: Mapping[str, Any]) -> str:
    return f"{page.percent(_hundred(size['mean_iu']))} %"
