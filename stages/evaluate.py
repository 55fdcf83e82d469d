"""Score a net on a split that it never trained on; run: python -m stages.evaluate voc-fcn32s voc/seg11valid."""

from pathlib import Path

import click

from pipeline import determinism
from pipeline.core import versions
from pipeline.evaluation.evaluate import evaluate
from pipeline.runtime import distributed
from stages._live import watched
from stages.shared.dvc import declared
from stages.shared.fingerprint import fingerprint
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("key")
@click.argument("split")
@click.option("--dense", is_flag=True, help="Score an FCN-32s at every eighth pixel, into eval/KEY-dense.")
def main(key: str, split: str, dense: bool) -> None:
    """Write eval/KEY/: metrics.json, classes.json, limits.json, hist.parquet, images.tsv, panels/ and shown.parquet.

    KEY is a recipe or an import, SPLIT a dataset/split.
    """
    params = declared(f"evaluate@{key}")
    versions.check("parquet", params["parquet"])
    device = distributed.local(determinism.start(params["runtime"]))
    out = Path("eval", f"{key}-dense" if dense else key)
    outs = [out / name for name in ("metrics.json", "classes.json", "limits.json", "hist.parquet", "images.tsv")]
    with (
        distributed.joined(device) as group,
        watched(fingerprint(params, device), outs, say=click.echo, leads=group.leads and not dense) as observer,
    ):
        evaluate(
            model=Path("runs", key, "model.safetensors"),
            shards=Path("data/shards", split),
            out=out,
            device=device,
            scale=params["scale"],
            dense=dense,
            group=group,
            observer=observer,
            say=click.echo,
        )


if __name__ == "__main__":
    main()
