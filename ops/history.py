"""Tell what was champion when, and why: fcn history DATASET."""

from __future__ import annotations

from pathlib import Path

import click

from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("name", metavar="DATASET|NAME")
def main(name: str) -> None:
    """List every version of fcn-DATASET and every move of its champion, the oldest first."""
    from ops import _candidate
    from pipeline.tracking import ledger, registry

    click.echo(ledger.page(registry.history(registry.ask(Path.cwd())[0], _candidate.model(name))))
