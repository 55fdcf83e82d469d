"""Score a net of the authors on its validation split; run: python -m stages.evaluate_import voc-fcn8s-released."""

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
@click.argument("key")
def main(key: str) -> None:
    """Write eval/KEY/: metrics.json, limits.json, hist.parquet, images.tsv, panels/ and shown.parquet."""
    params = declared("evaluate-import", key)
    row = params.row(f"imports.{key}")
    device = distributed.local(determinism.start(params.row("runtime")))
    out = Path("eval", key)
    outs = [out / name for name in ("metrics.json", "limits.json", "hist.parquet", "images.tsv")]
    with (
        distributed.joined(device) as group,
        watched(fingerprint(params, device), outs, say=click.echo, leads=group.leads) as observer,
    ):
        evaluate(
            model=Path("runs", key, "model.safetensors"),
            shards=Path("data/shards", row["evaluate"]),
            train=Path("data/shards", row["train"]),
            out=out,
            device=device,
            scale=params["scale"],
            group=group,
            observer=observer,
        )


if __name__ == "__main__":
    main()
