"""Score a recipe's net on its validation split; run: python -m stages.evaluate voc-fcn32s."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline import determinism
from pipeline.evaluation.evaluate import evaluate
from stages._params import declared
from stages._stage import Stage


@click.command(cls=Stage)
@click.argument("recipe")
def main(recipe: str) -> None:
    """Write eval/RECIPE/metrics.json, hist.parquet and panels/."""
    params = declared("evaluate", recipe)
    row = params.row(f"recipes.{recipe}")
    device = determinism.start(params.row("runtime"))
    evaluate(
        model=Path("runs", recipe, "model.safetensors"),
        shards=Path("data/shards", row["evaluate"]),
        train=Path("data/shards", row["train"]),
        out=Path("eval", recipe),
        device=device,
        scale=params["scale"],
    )


if __name__ == "__main__":
    main()
