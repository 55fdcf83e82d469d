"""Fetch a data set's archives, or a classifier's weights, and verify them: python -m stages.download KEY."""

from __future__ import annotations

import click

from pipeline.fetch import archives
from stages.shared.dvc import declared
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("key")
def main(key: str) -> None:
    """Put the files of params.yaml's downloads.KEY into its folder, weights with their manifest."""
    for fetched in archives.fetch_all(declared(f"download@{key}")[f"downloads.{key}"]):
        if not fetched.known:
            click.echo(f"{fetched.path} is taken on trust: list sha256 {fetched.digest} in params.yaml", err=True)


if __name__ == "__main__":
    main()
