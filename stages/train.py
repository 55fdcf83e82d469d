"""Train a recipe's net, alone or as one of torchrun's processes; run: python -m stages.train voc-fcn32s."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline import determinism, distributed
from pipeline.training.recipe import parse
from pipeline.training.train import train
from stages._params import declared
from stages._stage import Stage


@click.command(cls=Stage)
@click.argument("recipe")
def main(recipe: str) -> None:
    """Write runs/RECIPE/model.safetensors and history.tsv."""
    params = declared("train", recipe)
    device = distributed.local(determinism.start(params.row("runtime")))
    with distributed.joined(device) as group:
        row = parse(recipe, params.row(f"recipes.{recipe}"))
        train(
            row,
            shards=Path("data/shards", row.train),
            init=Path(row.init),
            out=Path("runs", recipe),
            device=device,
            say=click.echo,
            group=group,
        )


if __name__ == "__main__":
    main()
