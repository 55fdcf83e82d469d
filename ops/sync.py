"""Bring MLflow what it did not hear: fcn sync, of stages that no server listened to; fcn backfill, of dvc.lock."""

from __future__ import annotations

import os
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


@click.command(cls=Stage)
def backfill() -> None:
    """Make a run, tagged backfilled, of each stage in dvc.lock that has none at $MLFLOW_TRACKING_URI or mlflow.db here.

    Such a run's git.commit is the one that is checked out now, not the one that made the result.
    """
    from pipeline.tracking.publish import publish
    from stages import _records

    parent, children = _records.records(Path.cwd(), os.environ.get("DVC_EXP_NAME"))
    click.echo(f"backfilled {publish(parent, children, Path.cwd(), backfilled=True)}")
