"""The finest net's best, median and worst images, and its failure cases: chosen by score when it was evaluated."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.report import ladder, page, tiles
from pipeline.report.figures import Figures, escaped
from pipeline.types import Refusal

FOLDER, SCORES = "extremes", "images.tsv"
NAME = re.compile(r"(?P<which>best|median|worst)-(?P<rank>\d+)-(?P<id>.+)")
PLACES = ("best", "median", "worst")
SIDE = 180  # pixels of a tile's longer side


def section(evaluations: Path, recipes: Sequence[str], figures: Figures) -> Iterator[str]:
    """Markdown, nothing where no net left such panels."""
    tables = []
    for recipe in ladder.finest(recipes):
        panels = _panels(evaluations / recipe / FOLDER)
        if panels:
            tables += [f"### {ladder.dataset(recipe)}: {recipe}", _table(evaluations / recipe, panels, figures)]
    if tables:
        yield "## Best, median, worst, and failure cases"
        yield (
            "Of the finest net of each data set, chosen by an image's mean IU over the classes in its label (of a net "
            "with several heads, by the first one told): the best image, the median one, and as failure cases the "
            "three worst. Errors are red, void is white."
        )
        yield from tables


def _panels(folder: Path) -> list[tuple[re.Match[str], Path]]:
    """From the best to the worst, each with its name's parts."""
    found = [(match, path) for path in sorted(folder.glob("*.png")) if (match := NAME.fullmatch(path.stem))]
    return sorted(found, key=lambda one: (PLACES.index(one[0]["which"]), int(one[0]["rank"])))


def _table(evaluation: Path, panels: Sequence[tuple[re.Match[str], Path]], figures: Figures) -> str:
    """The scores of the net's first head; a line of tiles for each of its heads."""
    heads, scores = _scores(evaluation / SCORES)
    lines = []
    for match, path in panels:
        which, name = f"{match['which']}-{match['rank']}", match["id"]
        told = ", ".join(f"{head} {scores.get((head, name), page.NOTHING)}" for head in heads)
        told = told.replace("semantic ", "") if len(heads) == 1 else told
        for head, row in zip(heads, tiles.cut(path, len(heads)), strict=True):
            stem = f"{which}-{evaluation.name}-{head}"
            shown = [
                figures.picture(
                    f"{stem}-{kind}",
                    f"{kind} of {name}",
                    tiles.fitted(tile, SIDE, crisp=kind != "image"),
                )
                for kind, tile in zip(tiles.TILES, row, strict=True)
            ]
            first = f"**{match['which']}** {escaped(name)}: mean IU {told}" if head == heads[0] else ""
            lines.append([first, *shown])
    return page.table(["", *tiles.TILES], [], lines)


def _scores(path: Path) -> tuple[list[str], dict[tuple[str, str], str]]:
    """The heads in the net's order; mean IU in percent by head and id, an id spelled as in a file's name."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        found = {
            (row["head"], re.sub(r"[^0-9A-Za-z_.-]", "_", row["id"])): f"{100 * float(row['mean_iu']):.1f} %"
            for row in rows
            if row["mean_iu"]
        }
        return [*dict.fromkeys(row["head"] for row in rows)], found
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refusal(f"{path} tells no scores of images ({error!r}): run its evaluate stage again") from None
