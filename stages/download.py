"""Fetch a data set's archives, or a classifier's weights, and verify them: python -m stages.download KEY."""

import click

from pipeline.fetch import archives
from stages.shared.dvc import declared
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("key")
def main(key: str) -> None:
    """Put the files of params.yaml's downloads.KEY into its folder, weights with their manifest."""
    row = declared(f"download@{key}")[f"downloads.{key}"]
    for path, known in archives.fetch_all(f"downloads.{key}", row).items():
        click.echo(f"{path} is taken on trust: its sha256 is in {known} now, commit that file", err=True)


if __name__ == "__main__":
    main()
