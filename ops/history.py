"""Tell what was champion when, and why: fcn history DATASET."""

from pathlib import Path

import click

from pipeline.core.types import Refusal
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("name", metavar="DATASET|NAME")
def main(name: str) -> None:
    """List every version of fcn-DATASET and every move of its champion, the oldest first."""
    from ops import gate
    from pipeline.registry.champion import history, page
    from pipeline.tracking.connect import connect_existing

    model = gate.model(name)
    found = history(connect_existing(Path.cwd())[0], model)
    if not found.versions:
        raise Refusal(f"the registry has no {model}: fcn promote makes it")
    click.echo(page(found))
