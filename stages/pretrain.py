"""Train a backbone to classify the rendered ImageNet; run: python -m stages.pretrain vgg16."""

from pathlib import Path

import click

from pipeline import determinism
from pipeline.pretraining.pretrain import parse, pretrain
from stages._live import watched
from stages.shared.dvc import declared
from stages.shared.fingerprint import fingerprint
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("key")
def main(key: str) -> None:
    """data/raw/imagenet → data/weights/KEY."""
    params = declared(f"pretrain@{key}")
    device = determinism.start(params["runtime"])
    spec = parse(key, params[f"pretrain.{key}"])
    out = Path("data/weights", key)
    with watched(fingerprint(params, device), [out], say=click.echo) as observer:
        top1 = pretrain(key, spec, Path("data/raw/imagenet"), out, device, observer)
    click.echo(f"{key}: top-1 {top1:.3f} on val")


if __name__ == "__main__":
    main()
