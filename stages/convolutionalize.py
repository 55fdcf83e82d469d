"""Turn an ImageNet classifier into a convolutional backbone: python -m stages.convolutionalize KEY."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.convolutionalize.convolutionalize import convolutionalize
from pipeline.runtime import determinism
from stages._params import declared
from stages._stage import Stage


@click.command(cls=Stage)
@click.argument("key")
def main(key: str) -> None:
    """data/weights/KEY → weights/KEY-fcn.safetensors and the proof that both nets answer alike."""
    params = declared("convolutionalize", key)
    determinism.start(params.row("runtime"))
    convolutionalize(Path("data/weights") / key, key, params[f"backbones.{key}.padding"], Path("weights"))


if __name__ == "__main__":
    main()
