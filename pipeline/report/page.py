"""Tables in Markdown: ours beside the published by data set, what variants change, then table by table."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.core.types import Refusal
from pipeline.panels.panels import lone_class
from pipeline.published import ladder, published
from pipeline.published.published import METRICS, PUBLISHED, Published
from pipeline.report.figures import escaped
from pipeline.report.inputs import Heads, Limits, Ours, Outputs, by_ladder

NOTES = {
    "miniature": "Rendered images and thin nets: these scores are **not comparable** with the published ones, which "
    "stand here to show the shape of the ladder. What should repeat is the order of the nets, not their numbers.",
    "photos": "Real photographs, but few of them, and short training: these scores are **not comparable** with the "
    "published ones. Mean IU is over the classes that the few images show.",
    "paper": "The published data sets, nets and recipes: our scores are comparable with the published ones.",
    "authors": "The authors' released weights, scored by this pipeline: our scores should be the published ones.",
}
NOTHING = "–"


def page(outputs: Outputs, scale: str) -> str:
    """results/table.md: percent with one decimal; the evaluations are of one ``scale``."""
    parts = ["# Ours beside the published", scaled(scale), beside(outputs, "##")]
    return "\n\n".join([*parts, "# Table by table", table_by_table(outputs, scale, "##")]) + "\n"


def scaled(scale: str) -> str:
    """What the scores of this scale may be compared with."""
    return f"Scale: **{scale}**. {NOTES.get(scale, '')}".strip()


def beside(outputs: Outputs, level: str) -> str:
    """Ours beside the published, head by head of each data set under a heading of this ``level``, ``##`` or deeper.

    A net that predicts one class only is told below its table: its pixel accuracy may look like something.
    """
    blocks, ours = [], outputs.ours
    for dataset in dict.fromkeys(ladder.dataset(row.recipe) for row in ours):
        rows = [row for row in ours if ladder.dataset(row.recipe) == dataset]
        heads = list(dict.fromkeys(row.head for row in rows))
        for head in heads:
            blocks.append(f"{level} {dataset}" if heads == ["semantic"] else f"{level} {dataset}, {head} head")
            blocks += _dataset([row for row in rows if row.head == head])
            counts = {row.recipe: outputs.counts.get(row.recipe, {}).get(head) for row in rows}
            lone = {recipe: lone_class(one.pixels, one.classes) for recipe, one in counts.items() if one}
            blocks += [f"**{recipe} {escaped(found)}.**" for recipe, found in lone.items() if found]
    return "\n\n".join(blocks)


def _dataset(ours: Sequence[Ours]) -> Iterator[str]:
    """One head of one data set: our scores, the published ones in brackets, and what its variants change."""
    rows = []
    for row in ours:
        theirs = ladder.reference(row.recipe, row.head)
        scores = (f"{getattr(row, name):.1f} ({percent(getattr(theirs, name, None))})" for name in METRICS)
        classes = str(row.classes) if row.scored == row.classes else f"{row.scored} of {row.classes}"
        printed = (theirs.split, theirs.source) if theirs else (NOTHING, NOTHING)
        rows.append([row.recipe, str(row.images), classes, *scores, *printed])
    heads = ["images", "classes", *(f"{name} (published)" for name in METRICS.values()), "published on", "in"]
    yield table(["recipe"], heads, rows)
    if studied := list(_studied(ours)):
        yield "What a variant changes, in points of mean IU; as printed, where one place prints both:"
        yield table(["variant", "base"], ["mean IU", "base's", "points", "points printed", "printed in"], studied)


def _studied(ours: Sequence[Ours]) -> Iterator[list[str]]:
    """Each variant whose base was evaluated too, and the difference that was printed of the two."""
    mean_iu = {row.recipe: row.mean_iu for row in ours}
    for row in ours:
        if base := ladder.varied(row.recipe, mean_iu):
            scores = [percent(row.mean_iu), percent(mean_iu[base]), _points(row.mean_iu - mean_iu[base])]
            yield [row.recipe, base, *scores, *_difference(row, base)]


def _difference(ours: Ours, base: str) -> tuple[str, str]:
    """In points of mean IU, from the first source that prints both nets; and that source."""
    for source in published.PRECEDENCE:
        rows = [row for row in PUBLISHED if (row.source, row.head) == (source, ours.head)]
        mean_iu = {row.recipe: row.mean_iu for row in reversed(rows) if row.mean_iu is not None}
        pair = mean_iu.get(ladder.printed(ours.recipe)), mean_iu.get(ladder.printed(base))
        if pair[0] is not None and pair[1] is not None:
            return _points(pair[0] - pair[1]), source
    return NOTHING, NOTHING


def table_by_table(outputs: Outputs, scale: str, level: str) -> str:
    """Every row that the authors printed, each source under a heading of this ``level``, and what else it prints."""
    blocks = [
        f"Every number the authors printed, in percent, and ours of scale **{scale}** beside it, scored on the split "
        f"that the recipe names, whatever the print's. {NOTHING} is a number nobody printed, or a net not evaluated."
    ]
    for source in dict.fromkeys(row.source for row in PUBLISHED):
        if source == published.TABLE6:
            blocks += [f"{level} {published.APPENDIX}", *_appendix(outputs)]
        rows = [row for row in PUBLISHED if row.source == source]
        solver = f"Its nets' solver: {published.SOLVERS[source]}."
        blocks += [f"{level} {source}", solver, _printed(rows, outputs.ours)]
        if source == published.TABLE1:
            heads = ["forward ms", "conv. layers", "parameters, 10⁶", "rf size", "max stride"]
            nets = [[net, *map(str, facts)] for net, facts in published.NETWORKS.items()]
            blocks += ["Forward time of 500×500 px on a K40c, and what the nets are:", table(["net"], heads, nets)]
        if source == published.TABLE3:
            times = (f"{net} {time or NOTHING}" for net, time in published.TIMES.items())
            blocks.append(f"Inference time for an image: {', '.join(times)}.")
    return "\n\n".join(blocks)


def _appendix(outputs: Outputs) -> tuple[str, str]:
    """Our bounds are of VOC's images that ours were scored on."""
    digests = [row.ids_sha256 for row in outputs.ours if ladder.dataset(row.recipe) == ladder.DATASETS["voc"]]
    ours = next((outputs.bounds[key] for digest in digests if (key := (digest, "semantic")) in outputs.bounds), {})
    rows = [[str(factor), percent(bound), percent(ours.get(factor))] for factor, bound in published.BOUNDS.items()]
    text = "Mean IU of the truth itself, sampled down by a factor and up again, on a subset of VOC2011 val."
    return text, table(["factor"], ["mean IU", "ours"], rows)


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


def outlines(found: Heads[Limits]) -> str:
    """Precision, recall and F of the predicted outlines."""
    rows = [
        [recipe, head, *map(percent, found[recipe][head].boundary)]
        for recipe in sorted(found, key=ladder.place)
        for head in sorted(found[recipe], key=ladder.head_order)
    ]
    return table(["recipe", "head"], ["precision", "recall", "F"], rows)


def ceilings(outputs: Outputs) -> str:
    """A row for each net of a ladder whose images have bounds; nothing where none have."""
    heads = {recipe: {row.head: row for row in outputs.ours if row.recipe == recipe} for recipe in outputs.recipes}
    rows = []
    for row in (row for _, nets in by_ladder(heads) for row in nets.values()):
        stride = ladder.stride(row.recipe)
        if bound := outputs.bounds.get((row.ids_sha256, row.head), {}).get(stride):
            scores = [percent(row.mean_iu), percent(bound), f"{row.mean_iu / bound:.0%}"]
            rows.append([row.recipe, row.head, str(stride), *scores])
    return table(["recipe", "head"], ["stride", "mean IU", "bound", "reached"], rows) if rows else ""


def costs(evaluated: Iterable[str], recipes: Mapping[str, Any]) -> str:
    """Iterations and images of the ``evaluated`` that are among params.yaml's ``recipes``; nothing where none is.

    Raises Refusal for a row that does not say them.
    """
    rows = [_cost(recipe, recipes[recipe]) for recipe in sorted(evaluated, key=ladder.place) if recipe in recipes]
    heads = ["learning rate", "batch", "iterations", "images seen"]
    return table(["recipe", "starts from"], heads, rows) if rows else ""


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
