"""Put the champion before this one back: fcn rollback DATASET."""

from __future__ import annotations

import os
from pathlib import Path

import click

from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("name", metavar="DATASET|NAME")
@click.option("--why", default="no reason given", show_default=True, help="Both versions keep it.")
def main(name: str, why: str) -> None:
    """Exchange the champion of fcn-DATASET and the version before it; once more, and it is as it was."""
    from ops import _candidate
    from pipeline.tracking import registry
    from pipeline.tracking.who import who

    root, model = Path.cwd(), _candidate.model(name)
    move = registry.rollback(registry.ask(root)[0], model, who=who(root, os.environ), why=why)
    click.echo(f"{model} version {move.after} is champion, version {move.before} the one before")
