"""Look at your own data before the pipeline does: fcn data check ROW."""

from pathlib import Path

import click

from stages.shared.dvc import declared, load
from stages.shared.stage import Stage


@click.group()
def main() -> None:
    """Your own images and labels, a row under `folders` in params.yaml."""


@main.command(cls=Stage)
@click.argument("row")
def check(row: str) -> None:
    """Read every image and label of ROW and tell all that is wrong with them, or what they hold.

    Of each recipe on ROW it foretells the memory that training, evaluating and labelling take on a CPU.
    """
    from pipeline.convert.check_folder import check as walk

    fields = declared(f"convert-folder@{row}")[f"folders.{row}"]
    problems, facts = walk(row, fields)
    for line in problems or facts:
        click.echo(line)
    if not problems:
        from pipeline.timing import memory  # torch, 2 s

        for line in memory.lines(row, fields, load(Path("params.yaml"))):
            click.echo(line)
    if problems:
        raise click.exceptions.Exit(1)
