"""The finest net's best, median and worst images, and its failure cases: chosen by score when it was evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageOps

from pipeline.panels import shown
from pipeline.panels.panels import TILES
from pipeline.panels.shown import Shown
from pipeline.published import ladder
from pipeline.report import page
from pipeline.report.figures import Figures, escaped
from pipeline.report.inputs import image_scores

SIDE = 180  # pixels of a tile's longer side


def section(evaluations: Path, recipes: Sequence[str], figures: Figures) -> Iterator[str]:
    """Markdown, nothing where no net shows such images."""
    tables = []
    for recipe in ladder.finest(recipes):
        rows = [row for row in shown.read(evaluations / recipe) if not row.spread]
        if rows:
            tables += [f"### {ladder.dataset(recipe)}: {recipe}", _table(evaluations / recipe, rows, figures)]
    if tables:
        yield "## Best, median, worst, and failure cases"
        yield (
            "Of the finest net of each data set, chosen by an image's mean IU over the classes in its label (of a net "
            "with several heads, by the first one told): the best image, the median one, and as failure cases the "
            "three worst. Errors are red, void is white."
        )
        yield from tables


def _table(evaluation: Path, rows: Sequence[Shown], figures: Figures) -> str:
    """The scores of all heads beside the first one; a line of tiles for each head."""
    scores = image_scores(evaluation)
    heads = [*dict.fromkeys(row.head for row in rows)]
    lines = []
    for row in rows:
        each = ", ".join(f"{head} {scores.get((head, row.id), page.NOTHING)}" for head in heads)
        each = each.replace("semantic ", "") if len(heads) == 1 else each
        line = [f"**{row.place.partition('-')[0]}** {escaped(row.id)}: mean IU {each}" if row.head == heads[0] else ""]
        for kind, tile in row.tiles().items():
            method = Image.Resampling.LANCZOS if kind == "image" else Image.Resampling.NEAREST  # no colours that mix
            picture = ImageOps.contain(Image.fromarray(tile), (SIDE, SIDE), method)
            line.append(
                figures.picture(f"{row.place}-{evaluation.name}-{row.head}-{kind}", f"{kind} of {row.id}", picture)
            )
        lines.append(line)
    return page.table(["", *TILES], [], lines)
