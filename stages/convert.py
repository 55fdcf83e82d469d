"""Convert a dataset's archives into shards of Parquet: python -m stages.convert KEY."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import click

from pipeline.convert import writer
from pipeline.convert.dataset import plugin
from pipeline.core import versions
from stages.shared.dvc import declared
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("key")
def main(key: str) -> None:
    """data/raw/KEY → data/shards/KEY/<split>."""
    params = declared(f"convert@{key}")
    versions.check("parquet", params["parquet"])
    row = params[f"datasets.{key}"]
    writer.convert(
        key,
        partial(plugin, key),
        Path("data/raw") / key,
        Path("data/shards") / key,
        rows_per_shard=row["rows_per_shard"],
        expect=row["expect"],
        processes=os.cpu_count() or 1,
        engine=params["parquet.engine"],
    )


if __name__ == "__main__":
    main()
