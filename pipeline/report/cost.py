"""What training took that is the same on every machine: iterations and images; times are no part of a result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.core.types import Refusal
from pipeline.published import ladder
from pipeline.report import page


def section(recipes: Iterable[str], rows: Mapping[str, Any]) -> Iterator[str]:
    """Of the evaluated ``recipes`` that have one of params.yaml's ``rows``; Markdown, nothing where none has.

    Raises Refusal for a row that lacks what is told of it.
    """
    cells = [_cells(recipe, rows[recipe]) for recipe in sorted(recipes, key=ladder.place) if recipe in rows]
    if cells:
        yield "## What it takes"
        yield (
            "The same on every machine. Images are iterations times batch, each image as often as it was drawn. A net "
            "that starts from another's weights comes after that one's training. Seconds and joules are no part of a "
            "result: `fcn report` adds what they were here."
        )
        yield page.table(["recipe", "starts from"], ["learning rate", "batch", "iterations", "images seen"], cells)


def _cells(recipe: str, row: Any) -> list[str]:
    try:
        net, solver = row["net"], {"batch": 1, **row["solver"]}
        seen = solver["iterations"] * solver["batch"]
        start = net["init"] if net.get("start", "init") == "init" else net["start"]
        known = str(start).removeprefix("runs/").removeprefix("weights/").partition(".")[0].partition("/")[0]
        counts = (str(solver["batch"]), f"{solver['iterations']:,}", f"{seen:,}")
        return [recipe, known, f"{solver['lr']:.1e}", *counts]
    except (KeyError, TypeError) as error:
        raise Refusal(f"params.yaml: recipes.{recipe} lacks {error}, which the report tells: add it") from None
