"""Look at your own data before the pipeline does: fcn data check ROW."""

from __future__ import annotations

import click

from stages.shared.dvc import declared
from stages.shared.stage import Stage


@click.group()
def main() -> None:
    """Your own images and labels, a row under `folders` in params.yaml."""


@main.command(cls=Stage)
@click.argument("row")
def check(row: str) -> None:
    """Read every image and label of ROW and tell all that is wrong with them, or what they hold."""
    from pipeline.datasets.own import folder

    found = folder.check(row, declared(f"convert-folder@{row}")[f"folders.{row}"])
    for line in found:
        click.echo(line)
    if found.problems:
        raise click.exceptions.Exit(1)
