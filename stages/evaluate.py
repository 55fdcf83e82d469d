"""Score a recipe's net on its validation split; run: python -m stages.evaluate voc-fcn32s [--dense]."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.evaluation.evaluate import evaluate
from pipeline.runtime import determinism, distributed
from stages._fingerprint import fingerprint
from stages._live import watched
from stages._params import declared
from stages._stage import Stage


@click.command(cls=Stage)
@click.argument("recipe")
@click.option("--dense", is_flag=True, help="Score an FCN-32s at every eighth pixel, into eval/RECIPE-dense.")
def main(recipe: str, dense: bool) -> None:
    """Write eval/RECIPE/: metrics.json, limits.json, hist.parquet, images.tsv, curve.tsv, panels/ and shown.parquet."""
    params = declared("evaluate", recipe)
    row = params.row(f"recipes.{recipe}")
    device = distributed.local(determinism.start(params.row("runtime")))
    out = Path("eval", f"{recipe}-dense" if dense else recipe)
    outs = [out / name for name in ("metrics.json", "limits.json", "hist.parquet", "images.tsv", "curve.tsv")]
    with (
        distributed.joined(device) as group,
        watched(fingerprint(params, device), outs, say=click.echo, leads=group.leads and not dense) as observer,
    ):
        evaluate(
            model=Path("runs", recipe, "model.safetensors"),
            shards=Path("data/shards", row["evaluate"]),
            train=Path("data/shards", row["train"]),
            history=None if dense else Path("runs", recipe, "history.tsv"),
            out=out,
            device=device,
            scale=params["scale"],
            dense=dense,
            group=group,
            observer=observer,
        )


if __name__ == "__main__":
    main()
