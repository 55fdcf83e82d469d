"""Tell what a converted dataset holds, in numbers and pictures: python -m stages.describe KEY."""

from pathlib import Path

import click

from pipeline.core import versions
from pipeline.describe.describe import describe
from stages.shared.dvc import declared
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("key")
def main(key: str) -> None:
    """data/shards/KEY → data/reports/KEY."""
    versions.check("parquet", declared(f"describe@{key}")["parquet"])
    for line in describe(Path("data/shards") / key, Path("data/reports") / key):
        click.echo(f"{key}: {line}", err=True)


if __name__ == "__main__":
    main()
