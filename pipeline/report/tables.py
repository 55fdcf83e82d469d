"""The same numbers as CSV: table.csv to compute with, and what `dvc plots show` draws of every recipe."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO

import numpy as np

from pipeline.published import ladder
from pipeline.published.ours import METRICS, Ours, printed
from pipeline.report.charts import smooth
from pipeline.report.inputs import Content, Heads, Outputs

PRINTED = [*METRICS, "split", "source"]


def table(ours: Iterable[Ours], scale: str) -> str:
    """Ours beside the published; an empty cell is a number nobody printed."""
    rows = [{**row._asdict(), "scale": scale, "printed": printed(row.recipe, row.head)} for row in ours]
    names = [name for name in rows[0] if name not in ("ids_sha256", "printed")]
    cells = (
        [*(row[name] for name in names), *(getattr(row["printed"], name, None) for name in PRINTED)] for row in rows
    )
    return _csv([*names, *(f"published_{name}" for name in PRINTED)], cells)


def plots(outputs: Outputs) -> dict[str, str]:
    """loss.csv, iu.csv and trimap.csv by name; a table whose inputs are absent has a header alone.

    ``dataset`` names the head, too, of a net that has several.
    """
    losses = (
        (recipe, ladder.dataset(recipe), f"{iteration:.0f}", f"{loss:.6f}")
        for recipe, curve in outputs.curves.items()
        for iteration, loss in smooth(curve)
    )
    scores = (
        (*named, name, iu)
        for named, counts in _heads(outputs.counts)
        for name, iu in zip(counts.classes, counts.iu().tolist(), strict=True)
        if not np.isnan(iu)
    )
    bands = ((*named, *band) for named, limits in _heads(outputs.limits) for band in limits.trimap)
    columns = {"loss": ("iteration", "loss"), "iu": ("class", "iu"), "trimap": ("pixels", "mean_iu")}
    rows: dict[str, Iterable[Sequence[object]]] = {"loss": losses, "iu": scores, "trimap": bands}
    return {f"{name}.csv": _csv(["recipe", "dataset", *columns[name]], rows[name]) for name in columns}


def _heads(found: Heads[Content]) -> Iterator[tuple[tuple[str, str], Content]]:
    for recipe, heads in found.items():
        for head, one in heads.items():
            dataset = ladder.dataset(recipe)
            yield (recipe, dataset if len(heads) == 1 else f"{dataset}, {head}"), one


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Percent with four decimals, as the most precise published numbers."""
    made = StringIO()
    lines = csv.writer(made, lineterminator="\n")
    lines.writerow(header)
    lines.writerows([f"{cell:.4f}" if isinstance(cell, float) else cell for cell in row] for row in rows)
    return made.getvalue()
