"""Convert your own images and labels into shards of Parquet: python -m stages.convert_folder KEY."""

import os
from functools import partial
from pathlib import Path

import click

from pipeline.convert import writer
from pipeline.core import versions
from pipeline.datasets.own import folder
from stages.shared.dvc import declared
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("key")
def main(key: str) -> None:
    """The folder of params.yaml's folders.KEY → data/shards/KEY/<split>."""
    params = declared(f"convert-folder@{key}")
    versions.check("parquet", params["parquet"])
    source = partial(folder.parse, key, params[f"folders.{key}"])
    row = source().row
    if unused := source().survey(Path(row.root)).unused:
        click.echo(f"{key}: not used: {unused}", err=True)
    writer.convert(
        key,
        source,
        Path(row.root),
        Path("data/shards") / key,
        rows_per_shard=row.rows_per_shard,
        expect=None,
        processes=os.cpu_count() or 1,
        engine=params["parquet.engine"],
    )


if __name__ == "__main__":
    main()
