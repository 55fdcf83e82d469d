"""Put the champion before this one back: fcn rollback DATASET."""

import os
from pathlib import Path

import click

from ops import gate
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("name", metavar="DATASET|NAME")
@click.option("--why", default="no reason given", show_default=True, help="`fcn history` shows it.")
def main(name: str, why: str) -> None:
    """Exchange the champion of fcn-DATASET and the version before it; once more, and it is as it was."""
    from pipeline.registry import champion
    from pipeline.tracking.commit import user
    from pipeline.tracking.connect import connect_existing

    root, model = Path.cwd(), gate.model(name)
    move = champion.rollback(connect_existing(root)[0], model, who=user(root, os.environ), why=why)
    click.echo(f"{model} version {move.after} is champion, version {move.before} the one before")
