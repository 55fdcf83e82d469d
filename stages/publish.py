"""Make every entry of dvc.lock an MLflow run, also those that DVC skipped; run: python -m stages.publish."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pipeline.tracking import drain, spool, store
from stages import _records
from stages.shared.stage import Stage


@click.command(cls=Stage)
def main() -> None:
    """Publish to $MLFLOW_TRACKING_URI, or to mlflow.db here; .published then names the state of dvc.lock."""
    root = Path.cwd()
    drain.drain(root, spool.place())  # so that what stages told live is there to be adopted
    parent, children = _records.records(root, os.environ.get("DVC_EXP_NAME"))
    done = store.publish(parent, children, root)
    Path(".published").write_text(f"{parent.tags['dvc.lock']}\n", encoding="utf-8")
    click.echo(f"published {done}; make ui to look")


if __name__ == "__main__":
    main()
