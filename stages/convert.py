"""Convert a dataset's archives into shards of Parquet: python -m stages.convert KEY."""

import os
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import click

from pipeline.convert import writer
from pipeline.convert.write_shard import plugin
from pipeline.core import fields, versions
from stages.shared.dvc import declared
from stages.shared.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of ``datasets``; ``expect`` are the splits' sizes, and another count stops the stage."""

    expect: tuple[str, ...]
    rows_per_shard: int = fields.bounded(500, least=1)


@click.command(cls=Stage)
@click.argument("key")
def main(key: str) -> None:
    """data/raw/KEY → data/shards/KEY/<split>."""
    params = declared(f"convert@{key}")
    versions.check("parquet", params["parquet"])
    row = fields.read(Row, f"datasets.{key}", params[f"datasets.{key}"])
    writer.convert(
        key,
        partial(plugin, key),
        Path("data/raw") / key,
        Path("data/shards") / key,
        **asdict(row),
        processes=os.cpu_count() or 1,
        engine=params["parquet.engine"],
    )


if __name__ == "__main__":
    main()
