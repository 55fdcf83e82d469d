"""The finest net's best, median and worst images, and its failure cases: chosen by score when it was evaluated."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from pipeline.core.types import Refusal
from pipeline.panels import shown
from pipeline.panels.panels import TILES
from pipeline.panels.shown import Pixels, Shown
from pipeline.published import ladder
from pipeline.report import page
from pipeline.report.figures import Figures, escaped

SCORES = "images.tsv"
SIDE = 180  # pixels of a tile's longer side


def section(evaluations: Path, recipes: Sequence[str], figures: Figures) -> Iterator[str]:
    """Markdown, nothing where no net left such images."""
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
    scores = _scores(evaluation / SCORES)
    heads = [*dict.fromkeys(row.head for row in rows)]
    lines = []
    for row in rows:
        told = ", ".join(f"{head} {scores.get((head, row.id), page.NOTHING)}" for head in heads)
        told = told.replace("semantic ", "") if len(heads) == 1 else told
        stem = f"{row.place}-{evaluation.name}-{row.head}"
        pictures = [
            figures.picture(f"{stem}-{kind}", f"{kind} of {row.id}", _fitted(tile, crisp=kind != "image"))
            for kind, tile in row.tiles().items()
        ]
        which = f"**{row.place.partition('-')[0]}** {escaped(row.id)}: mean IU {told}"
        lines.append([which if row.head == heads[0] else "", *pictures])
    return page.table(["", *TILES], [], lines)


def _fitted(tile: Pixels, *, crisp: bool) -> Image.Image:
    """With ``SIDE`` px as its longer side; ``crisp`` for maps, whose colours must not mix."""
    picture = Image.fromarray(tile)
    scale = SIDE / max(picture.size)
    kind = Image.Resampling.NEAREST if crisp else Image.Resampling.LANCZOS
    return picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), kind)


def _scores(path: Path) -> dict[tuple[str, str], str]:
    """Mean IU in percent by head and id."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {
                (row["head"], row["id"]): f"{100 * float(row['mean_iu']):.1f} %"
                for row in csv.DictReader(file, delimiter="\t")
                if row["mean_iu"]
            }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refusal(f"{path} tells no scores of images ({error!r}): run its evaluate stage again") from None
