"""Tell what nets of each stride could score at best on a split: python -m stages.bounds voc-seg11valid."""

from dataclasses import dataclass
from pathlib import Path

import click

from pipeline.core import fields
from pipeline.metrics.scores import write_bounds
from stages.shared.dvc import declared
from stages.shared.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of ``bounds``."""

    shards: str
    split: str


@click.command(cls=Stage)
@click.argument("key")
def main(key: str) -> None:
    """data/shards/<shards>/<split> of params.yaml's bounds.KEY → data/bounds/KEY.json."""
    row = fields.read(Row, f"bounds.{key}", declared(f"bounds@{key}")[f"bounds.{key}"])
    write_bounds(Path("data/shards", row.shards, row.split), Path("data/bounds", f"{key}.json"))


if __name__ == "__main__":
    main()
