"""The page results/table.md: ours beside the published by data set, what variants change, then table by table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple

from pipeline.published import ladder
from pipeline.published.ours import METRICS, Ours, reference
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

NOTES = {
    "miniature": "Rendered images and thin nets: these scores are **not comparable** with the published ones, which "
    "stand here to show the shape of the ladder. What should repeat is the order of the nets, not their numbers.",
    "photos": "Real photographs, but few of them, and short training: these scores are **not comparable** with the "
    "published ones. Mean IU is over the classes that the few images show.",
    "paper": "The published data sets, nets and recipes: our scores are comparable with the published ones.",
    "authors": "The authors' released weights, scored by this pipeline: our scores should be the published ones.",
}
NOTHING = "–"


def page(ours: Sequence[Ours], scale: str, bounds: Mapping[int, float]) -> str:
    """Markdown; percent with one decimal. ``ours`` are of one ``scale``, in the order they shall stand in.

    ``bounds`` are our {factor: mean IU in percent} for appendix A, empty where they were not computed.
    """
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


def table_by_table(ours: Sequence[Ours], scale: str, bounds: Mapping[int, float], level: str) -> Iterator[str]:
    """Every row that the authors printed, each source under a heading of this ``level``."""
    yield (
        f"Every number the authors printed, in percent, and ours of scale **{scale}** beside it, scored on the split "
        f"that the recipe names, whatever the print's. {NOTHING} is a number nobody printed, or a net not evaluated."
    )
    for source in dict.fromkeys(row.source for row in PUBLISHED):
        if source == TABLE6:
            yield from _appendix(bounds, level)
        yield f"{level} {source}"
        yield _printed([row for row in PUBLISHED if row.source == source], ours)
        yield from _facts(source)


def _dataset(ours: Sequence[Ours]) -> Iterator[str]:
    """One head of one data set: its ladder, and what its variants change."""
    yield _beside(ours)
    studied = list(_studied(ours))
    if studied:
        yield "What a variant changes, in points of mean IU; as printed, where one place prints both:"
        yield table(["variant", "base"], ["mean IU", "base's", "points", "points printed", "printed in"], studied)


def _beside(ours: Sequence[Ours]) -> str:
    """Our score, and the published one in brackets."""
    heads = ["images", "classes", *(f"{name} (published)" for name in METRICS.values()), "published on"]
    rows = []
    for row in ours:
        theirs = reference(row)
        scores = (f"{getattr(row, name):.1f} ({percent(getattr(theirs, name, None))})" for name in METRICS)
        classes = str(row.classes) if row.scored == row.classes else f"{row.scored} of {row.classes}"
        rows.append([row.recipe, str(row.images), classes, *scores, theirs.split if theirs else NOTHING])
    return table(["recipe"], heads, rows)


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


def _facts(source: str) -> Iterator[str]:
    """What a table prints beside scores."""
    if source == TABLE1:
        yield "Forward time of 500×500 px on a K40c, and what the nets are:"
        heads = ["forward ms", "conv. layers", "parameters, 10⁶", "rf size", "max stride"]
        yield table(["net"], heads, ([str(cell) for cell in astuple(net)] for net in NETWORKS))
    if source == TABLE3:
        times = (f"{net} {time or NOTHING}" for net, time in TIMES.items())
        yield f"Inference time for an image: {', '.join(times)}."


def _appendix(bounds: Mapping[int, float], level: str) -> Iterator[str]:
    yield f"{level} {APPENDIX}"
    yield "Mean IU of the truth itself, sampled down by a factor and up again, on a subset of VOC2011 val."
    rows = ([str(factor), percent(mean_iu), percent(bounds.get(factor))] for factor, mean_iu in BOUNDS.items())
    yield table(["factor"], ["mean IU", "ours"], rows)


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
