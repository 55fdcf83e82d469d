"""Tables in Markdown: ours beside the published by data set, what variants change, then table by table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple
from typing import Any

from pipeline.core.types import Refusal
from pipeline.published import ladder
from pipeline.published.ours import METRICS, Ours, printed
from pipeline.published.published import (
    APPENDIX,
    BOUNDS,
    NETWORKS,
    PRECEDENCE,
    PUBLISHED,
    TABLE1,
    TABLE3,
    TABLE6,
    TIMES,
    Published,
)
from pipeline.report.inputs import Bounds, by_ladder

NOTES = {
    "miniature": "Rendered images and thin nets: these scores are **not comparable** with the published ones, which "
    "stand here to show the shape of the ladder. What should repeat is the order of the nets, not their numbers.",
    "photos": "Real photographs, but few of them, and short training: these scores are **not comparable** with the "
    "published ones. Mean IU is over the classes that the few images show.",
    "paper": "The published data sets, nets and recipes: our scores are comparable with the published ones.",
    "authors": "The authors' released weights, scored by this pipeline: our scores should be the published ones.",
}
NOTHING = "–"
VOC = ladder.DATASETS["voc"]


def page(ours: Sequence[Ours], scale: str, bounds: Bounds) -> str:
    """results/table.md: percent with one decimal. ``ours`` are of one ``scale``, in the order they shall stand in."""
    parts = ["# Ours beside the published", scaled(scale), *beside(ours, "##")]
    parts += ["# Table by table", *table_by_table(ours, scale, bounds, "##")]
    return "\n\n".join(parts) + "\n"


def scaled(scale: str) -> str:
    """What the scores of this scale may be compared with."""
    return f"Scale: **{scale}**. {NOTES.get(scale, '')}".strip()


def beside(ours: Sequence[Ours], level: str) -> Iterator[str]:
    """Ours beside the published, head by head of each data set under a heading of this ``level``, ``##`` or deeper."""
    for dataset in dict.fromkeys(ladder.dataset(row.recipe) for row in ours):
        rows = [row for row in ours if ladder.dataset(row.recipe) == dataset]
        heads = list(dict.fromkeys(row.head for row in rows))
        for head in heads:
            yield f"{level} {dataset}" if heads == ["semantic"] else f"{level} {dataset}, {head} head"
            yield from _dataset([row for row in rows if row.head == head])


def _dataset(ours: Sequence[Ours]) -> Iterator[str]:
    """One head of one data set: our scores, the published ones in brackets, and what its variants change."""
    rows = []
    for row in ours:
        theirs = printed(row.recipe, row.head)
        scores = (f"{getattr(row, name):.1f} ({percent(getattr(theirs, name, None))})" for name in METRICS)
        classes = str(row.classes) if row.scored == row.classes else f"{row.scored} of {row.classes}"
        rows.append([row.recipe, str(row.images), classes, *scores, theirs.split if theirs else NOTHING])
    heads = ["images", "classes", *(f"{name} (published)" for name in METRICS.values()), "published on"]
    yield table(["recipe"], heads, rows)
    studied = list(_studied(ours))
    if studied:
        yield "What a variant changes, in points of mean IU; as printed, where one place prints both:"
        yield table(["variant", "base"], ["mean IU", "base's", "points", "points printed", "printed in"], studied)


def _studied(ours: Sequence[Ours]) -> Iterator[list[str]]:
    """Each variant whose base was evaluated too, and the difference that was printed of the two."""
    mean_iu = {row.recipe: row.mean_iu for row in ours}
    for row in ours:
        base = ladder.varied(row.recipe, mean_iu)
        if base:
            scores = [percent(row.mean_iu), percent(mean_iu[base]), _points(row.mean_iu - mean_iu[base])]
            yield [row.recipe, base, *scores, *_difference(row, base)]


def _difference(ours: Ours, base: str) -> tuple[str, str]:
    """In points of mean IU, from the first source that prints both nets; and that source."""
    for source in PRECEDENCE:
        rows = [row for row in PUBLISHED if (row.source, row.head) == (source, ours.head)]
        mean_iu = {row.recipe: row.mean_iu for row in reversed(rows) if row.mean_iu is not None}
        pair = mean_iu.get(ladder.printed(ours.recipe)), mean_iu.get(ladder.printed(base))
        if pair[0] is not None and pair[1] is not None:
            return _points(pair[0] - pair[1]), source
    return NOTHING, NOTHING


def table_by_table(ours: Sequence[Ours], scale: str, bounds: Bounds, level: str) -> Iterator[str]:
    """Every row that the authors printed, each source under a heading of this ``level``, and what else it prints."""
    yield (
        f"Every number the authors printed, in percent, and ours of scale **{scale}** beside it, scored on the split "
        f"that the recipe names, whatever the print's. {NOTHING} is a number nobody printed, or a net not evaluated."
    )
    for source in dict.fromkeys(row.source for row in PUBLISHED):
        if source == TABLE6:
            mine = (bounds.get((row.ids_sha256, row.head), {}) for row in ours if ladder.dataset(row.recipe) == VOC)
            known = next(filter(None, mine), {})
            yield f"{level} {APPENDIX}"
            yield "Mean IU of the truth itself, sampled down by a factor and up again, on a subset of VOC2011 val."
            rows = ([str(factor), percent(theirs), percent(known.get(factor))] for factor, theirs in BOUNDS.items())
            yield table(["factor"], ["mean IU", "ours"], rows)
        yield f"{level} {source}"
        yield _printed([row for row in PUBLISHED if row.source == source], ours)
        if source == TABLE1:
            yield "Forward time of 500×500 px on a K40c, and what the nets are:"
            heads = ["forward ms", "conv. layers", "parameters, 10⁶", "rf size", "max stride"]
            yield table(["net"], heads, ([str(cell) for cell in astuple(net)] for net in NETWORKS))
        if source == TABLE3:
            yield f"Inference time for an image: {', '.join(f'{net} {time or NOTHING}' for net, time in TIMES.items())}."


def _printed(rows: Sequence[Published], ours: Iterable[Ours]) -> str:
    """One source's rows; of the four metrics those that it prints, each with ours beside it."""
    metrics = [name for name in METRICS if any(getattr(row, name) is not None for row in rows)]
    found = {(ladder.printed(row.recipe), row.head): row for row in ours}
    several = len({row.head for row in rows}) > 1
    cells = []
    for row in rows:
        mine = found.get((row.recipe or "", row.head))
        scores = (percent(getattr(side, name, None)) for name in metrics for side in (row, mine))
        cells.append([row.net, row.recipe or NOTHING, *([row.head] if several else []), row.split, *scores])
    texts = ["net or method", "recipe", *(["head"] if several else []), "on"]
    return table(texts, [head for name in metrics for head in (METRICS[name], "ours")], cells)


def ceilings(ours: Sequence[Ours], bounds: Bounds) -> Iterator[str]:
    """A row for each net of a ladder whose images have bounds; Markdown, nothing where none have."""
    heads: dict[str, dict[str, Ours]] = {}
    for row in ours:
        heads.setdefault(row.recipe, {})[row.head] = row
    rows = []
    for row in (row for _, nets in by_ladder(heads) for row in nets.values()):
        stride = ladder.stride(row.recipe)
        bound = bounds.get((row.ids_sha256, row.head), {}).get(stride)
        if bound:
            scores = [percent(row.mean_iu), percent(bound), f"{row.mean_iu / bound:.0%}"]
            rows.append([row.recipe, row.head, str(stride), *scores])
    if rows:
        yield "## What each stride allows"
        yield (
            "The mean IU of the label itself, sampled down by the net's stride and up again, bounds what any net of "
            "that stride can be expected to reach; the last column is the share of it that ours has."
        )
        yield table(["recipe", "head"], ["stride", "mean IU", "bound", "reached"], rows)


def costs(recipes: Iterable[str], rows: Mapping[str, Any]) -> Iterator[str]:
    """Of the evaluated ``recipes`` that have one of params.yaml's ``rows``; Markdown, nothing where none has.

    Iterations and images, which are the same on every machine. Raises Refusal for a row that does not say them.
    """
    cells = [_cost(recipe, rows[recipe]) for recipe in sorted(recipes, key=ladder.place) if recipe in rows]
    if cells:
        yield "## What it takes"
        yield (
            "The same on every machine. Images are iterations times batch, each image as often as it was drawn. A net "
            "that starts from another's weights comes after that one's training. Seconds and joules are no part of a "
            "result: `fcn report` adds what they were here."
        )
        yield table(["recipe", "starts from"], ["learning rate", "batch", "iterations", "images seen"], cells)


def _cost(recipe: str, row: Any) -> list[str]:
    try:
        net, solver = row["net"], {"batch": 1, **row["solver"]}
        start = net["init"] if net.get("start", "init") == "init" else net["start"]
        known = str(start).removeprefix("runs/").removeprefix("weights/").partition(".")[0].partition("/")[0]
        iterations, batch = solver["iterations"], solver["batch"]
        return [recipe, known, f"{solver['lr']:.1e}", str(batch), f"{iterations:,}", f"{iterations * batch:,}"]
    except (KeyError, TypeError) as error:
        raise Refusal(f"params.yaml: recipes.{recipe} lacks {error}, which the report shows: add it") from None


def percent(score: float | None) -> str:
    """With one decimal, or a dash."""
    return NOTHING if score is None else f"{score:.1f}"


def _points(difference: float) -> str:
    """+1.3 or −19.8; no minus before a zero."""
    return f"{round(difference, 1) + 0.0:+.1f}".replace("-", "−")


def table(texts: Sequence[str], numbers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns headed ``texts``, set left, then those headed ``numbers``, set right."""
    lines = [[*texts, *numbers], [":--"] * len(texts) + ["--:"] * len(numbers), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
