"""Join two trained nets into the start of their late fusion: python -m stages.fuse KEY."""

from pathlib import Path

import click

from pipeline.weights.checkpoint import fuse
from stages.shared.dvc import declared
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("key")
def main(key: str) -> None:
    """The nets of params.yaml's fusions.KEY → weights/KEY.safetensors."""
    row = declared(f"fuse@{key}")[f"fusions.{key}"]
    fuse([Path(row["first"]), Path(row["second"])], Path("weights") / f"{key}.safetensors")


if __name__ == "__main__":
    main()
