"""Bring what stages wrote while no server listened into MLflow: fcn sync."""

from pathlib import Path

import click

from pipeline.tracking import spool
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("spools", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
def main(spools: Path | None) -> None:
    """Send the events in SPOOLS (.spool) that are not sent yet, and mark as KILLED the runs whose stage is gone.

    Folders of another machine may be copied there first: a GPU box needs no MLflow.
    """
    from pipeline.tracking.sync import sync  # MLflow takes seconds to import

    place = spools.resolve() if spools else spool.place()
    sent = sync(Path.cwd(), place)
    click.echo("\n".join([*sent, f"{len(sent)} runs brought up to date"]) if sent else f"nothing to send in {place}")
