"""Render a miniature world in an original's archive format: python -m stages.miniature KEY."""

from dataclasses import dataclass
from pathlib import Path

import click

from pipeline.core import fields, plugins
from stages.shared.dvc import declared
from stages.shared.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of ``miniatures``: how many images each split has, and how many pixels they are high."""

    counts: tuple[str, ...]
    seed: int = fields.bounded(7, least=0)
    side: int = fields.bounded(128, least=1)


@click.command(cls=Stage)
@click.argument("key")
def main(key: str) -> None:
    """Write data/raw/KEY/ as params.yaml's miniatures.KEY says."""
    row = fields.read(Row, f"miniatures.{key}", declared(f"miniature@{key}")[f"miniatures.{key}"])
    world = plugins.load("miniature", key)
    numbers = fields.counts(f"miniatures.{key}.counts", row.counts, world.COUNTS)
    images = {split: number for split, (number,) in numbers.items()}
    world.render(Path("data/raw") / key, seed=row.seed, side=row.side, **images)


if __name__ == "__main__":
    main()
