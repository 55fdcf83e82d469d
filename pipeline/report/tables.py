"""The same numbers as CSV: table.csv to compute with, and what `dvc plots show` draws of every recipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from pipeline.published import ladder
from pipeline.published.ours import METRICS, Ours, printed
from pipeline.report.charts import smooth
from pipeline.report.inputs import Content, Heads, Outputs


def table(ours: Iterable[Ours], scale: str) -> str:
    """Ours beside the published; an empty cell is a number nobody printed."""
    rows = []
    for row in ours:
        theirs = printed(row.recipe, row.head)
        beside = {f"published_{name}": getattr(theirs, name, None) for name in (*METRICS, "split", "source")}
        rows.append({**row._asdict(), "scale": scale, **beside})
    return _csv(pd.DataFrame(rows).drop(columns="ids_sha256"))


def plots(outputs: Outputs) -> dict[str, str]:
    """loss.csv, iu.csv and trimap.csv by name; a table whose inputs are absent has a header alone.

    ``dataset`` names the head, too, of a net that has several.
    """
    losses = [
        (recipe, ladder.dataset(recipe), f"{iteration:.0f}", f"{loss:.6f}")
        for recipe, curve in outputs.curves.items()
        for iteration, loss in smooth(curve)
    ]
    scores = [
        (*named, name, iu)
        for named, counts in _heads(outputs.counts)
        for name, iu in zip(counts.classes, counts.iu(), strict=True)
    ]
    bands = [(*named, *band) for named, limits in _heads(outputs.limits) for band in limits.trimap]
    return {
        "loss.csv": _csv(pd.DataFrame(losses, columns=["recipe", "dataset", "iteration", "loss"])),
        "iu.csv": _csv(pd.DataFrame(scores, columns=["recipe", "dataset", "class", "iu"]).dropna(subset="iu")),
        "trimap.csv": _csv(pd.DataFrame(bands, columns=["recipe", "dataset", "pixels", "mean_iu"])),
    }


def _heads(found: Heads[Content]) -> Iterator[tuple[tuple[str, str], Content]]:
    for recipe, heads in found.items():
        for head, one in heads.items():
            dataset = ladder.dataset(recipe)
            yield (recipe, dataset if len(heads) == 1 else f"{dataset}, {head}"), one


def _csv(frame: pd.DataFrame) -> str:
    """Percent with four decimals, as the most precise published numbers."""
    return frame.to_csv(index=False, float_format="%.4f", lineterminator="\n")
