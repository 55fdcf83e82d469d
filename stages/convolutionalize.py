"""Turn an ImageNet classifier into a convolutional backbone: python -m stages.convolutionalize KEY."""

from pathlib import Path

import click

from pipeline import determinism
from pipeline.convolutionalize.convolutionalize import convolutionalize
from stages.shared.dvc import declared
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("key")
def main(key: str) -> None:
    """data/weights/KEY → weights/KEY-fcn.safetensors and the proof that both nets answer alike."""
    params = declared(f"convolutionalize@{key}")
    determinism.start(params["runtime"])
    convolutionalize(Path("data/weights") / key, key, params[f"backbones.{key}.padding"], Path("weights"))


if __name__ == "__main__":
    main()
