"""Give a tracking server the runs that it lacks, from dvc.lock and what lies on disk: fcn backfill."""

from __future__ import annotations

import os
from pathlib import Path

import click

from stages.shared.stage import Stage


@click.command(cls=Stage)
def main() -> None:
    """Make a run, tagged backfilled, of each stage in dvc.lock that has none at $MLFLOW_TRACKING_URI or mlflow.db here.

    Such a run's git.commit is the one that is checked out now, not the one that made the result.
    """
    from pipeline.tracking import store  # it loads MLflow, 3 s that other commands need not wait
    from stages import _records

    root = Path.cwd()
    parent, children = _records.records(root, os.environ.get("DVC_EXP_NAME"))
    click.echo(f"backfilled {store.publish(parent, children, root, {'backfilled': 'true'})}")


if __name__ == "__main__":
    main()
