"""What nets reach of what their stride allows: mean IU of the label itself, sampled down and up again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.core.types import Refusal
from pipeline.published import ladder
from pipeline.published.ours import Ours
from pipeline.report import page

Bounds = dict[tuple[str, str, int], float]  # mean IU in percent by the images' digest, head and factor


def read(folder: Path) -> Bounds:
    """Of all files of the stage bounds in ``folder``. Raises Refusal for one that holds none."""
    found: Bounds = {}
    for path in sorted(folder.glob("*.json")):
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
            for head, factors in tree.items():
                if isinstance(factors, dict):
                    for factor, scores in factors.items():
                        found[tree["ids_sha256"], head, int(factor)] = 100 * scores["mean_iu"]
        except (ValueError, KeyError, TypeError) as error:
            raise Refusal(f"{path} holds no bounds ({error!r}): run its bounds stage again") from None
    return found


def section(ours: Sequence[Ours], bounds: Bounds) -> Iterator[str]:
    """A row for each net of a ladder whose images have bounds; Markdown, nothing where none have."""
    rows = []
    for family in ladder.ladders({row.recipe for row in ours}):
        for row in (row for head in dict.fromkeys(row.head for row in ours) for row in _of(ours, family, head)):
            bound = bounds.get((row.ids_sha256, row.head, ladder.stride(row.recipe)))
            if bound:
                scores = [page.percent(row.mean_iu), page.percent(bound), f"{row.mean_iu / bound:.0%}"]
                rows.append([row.recipe, row.head, str(ladder.stride(row.recipe)), *scores])
    if rows:
        yield "## What each stride allows"
        yield (
            "The mean IU of the label itself, sampled down by the net's stride and up again, bounds what any net of "
            "that stride can be expected to reach; the last column is the share of it that ours has."
        )
        yield page.table(["recipe", "head"], ["stride", "mean IU", "bound", "reached"], rows)


def _of(ours: Sequence[Ours], family: Sequence[str], head: str) -> list[Ours]:
    found = {row.recipe: row for row in ours if row.head == head}
    return [found[recipe] for recipe in family if recipe in found]
