"""Make every entry of dvc.lock an MLflow run, also those that DVC skipped; run: python -m stages.publish."""

import os
from pathlib import Path

import click

from pipeline.tracking import spool
from pipeline.tracking.publish import publish
from pipeline.tracking.sync import sync
from stages import _records
from stages.shared.stage import Stage


@click.command(cls=Stage)
def main() -> None:
    """Publish to $MLFLOW_TRACKING_URI, or to mlflow.db here; .published then names the state of dvc.lock."""
    root = Path.cwd()
    for line in sync(root, spool.place()):  # so that live runs are there to be found
        click.echo(line, err=True) if spool.ASIDE in line else None
    parent, children = _records.records(root, os.environ.get("DVC_EXP_NAME"))
    outcome = publish(parent, children, root)
    Path(".published").write_text(f"{parent.tags['dvc.lock']}\n", encoding="utf-8")
    click.echo(f"published {outcome}; make ui to look")


if __name__ == "__main__":
    main()
