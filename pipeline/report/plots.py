"""The same curves as tables for `dvc plots show`, which draws a line or a bar for each recipe."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.published import ladder
from pipeline.published.ours import Ours
from pipeline.report import curves, hist, limits

FOLDER = "plots"


def write(evaluations: Path, ours: Sequence[Ours], out: Path) -> None:
    """``out``/loss.csv, iu.csv and trimap.csv; a table whose inputs are absent has a header alone.

    ``dataset`` names the head, too, of a net that has several.
    """
    recipes = [*dict.fromkeys(row.recipe for row in ours)]
    losses = curves.read(evaluations, recipes)
    rows = ((*_named(name), f"{x:.0f}", f"{y:.6f}") for name in losses for x, y in curves.smooth(losses[name]))
    _table(out / "loss.csv", ("iteration", "loss"), rows)
    counts = {recipe: hist.read(evaluations, recipe) for recipe in recipes}
    _table(out / "iu.csv", ("class", "iu"), (row for name in counts for row in _iu(name, counts[name])))
    bands = (
        (*_named(recipe, head, len(heads)), width, f"{mean_iu:.4f}")
        for recipe, heads in limits.read(evaluations, recipes).items()
        for head, one in heads.items()
        for width, mean_iu in limits.trimap(one)
    )
    _table(out / "trimap.csv", ("pixels", "mean_iu"), bands)


def _iu(recipe: str, heads: dict[str, hist.Counts]) -> Iterable[tuple[str, ...]]:
    for head, counts in heads.items():
        for name, iu in zip(counts.classes, counts.iu(), strict=True):
            if not math.isnan(iu):
                yield *_named(recipe, head, len(heads)), name, f"{100 * iu:.4f}"


def _named(recipe: str, head: str = "", heads: int = 1) -> tuple[str, str]:
    dataset = ladder.dataset(recipe)
    return recipe, dataset if heads == 1 else f"{dataset}, {head}"


def _table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("recipe", "dataset", *columns))
        table.writerows(rows)
