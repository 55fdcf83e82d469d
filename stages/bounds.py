"""Tell what nets of each stride could score at best on a split: python -m stages.bounds voc/seg11valid."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.metrics.bounds import write
from stages._stage import Stage


@click.command(cls=Stage)
@click.argument("split")
def main(split: str) -> None:
    """data/shards/SPLIT, a dataset/split → data/bounds/<dataset>-<split>.json."""
    write(Path("data/shards", split), Path("data/bounds", f"{split.replace('/', '-')}.json"))


if __name__ == "__main__":
    main()
