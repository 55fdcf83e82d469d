"""Fetch a dataset's archives and verify them: python -m stages.download KEY."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.fetch import archives
from stages._params import declared
from stages._stage import Stage


@click.command(cls=Stage)
@click.argument("key")
def main(key: str) -> None:
    """downloads.KEY of params.yaml → data/raw/KEY."""
    row = declared("download", key).row(f"downloads.{key}")
    for fetched in archives.fetch_all(row["files"], Path("data/raw") / key):
        if not fetched.known:
            click.echo(f"{fetched.path} is taken on trust: list sha256 {fetched.digest} in params.yaml", err=True)


if __name__ == "__main__":
    main()
