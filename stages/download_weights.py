"""Fetch a backbone's ImageNet weights and verify them: python -m stages.download_weights KEY."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.fetch import archives
from stages._params import declared
from stages._stage import Stage


@click.command(cls=Stage)
@click.argument("key")
def main(key: str) -> None:
    """weight_downloads.KEY of params.yaml → data/weights/KEY with its manifest."""
    row = declared("download-weights", key).row(f"weight_downloads.{key}")
    fetched = archives.fetch_weights(row, Path("data/weights") / key)
    if not fetched.known:
        click.echo(f"{fetched.path} is taken on trust: list sha256 {fetched.digest} in params.yaml", err=True)


if __name__ == "__main__":
    main()
