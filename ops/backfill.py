"""Give a tracking server the runs that it lacks, from dvc.lock and what lies on disk: fcn backfill."""

import os
from pathlib import Path

import click

from stages.shared.stage import Stage


@click.command(cls=Stage)
def main() -> None:
    """Make a run, tagged backfilled, of each stage in dvc.lock that has none at $MLFLOW_TRACKING_URI or mlflow.db here.

    Such a run's git.commit is the one that is checked out now, not the one that made the result.
    """
    from pipeline.tracking.publish import publish
    from stages import _records

    parent, children = _records.records(Path.cwd(), os.environ.get("DVC_EXP_NAME"))
    click.echo(f"backfilled {publish(parent, children, Path.cwd(), backfilled=True)}")
