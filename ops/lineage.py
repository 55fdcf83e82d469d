"""Tell what a stage's result came from, down to the archives: fcn lineage train@voc-fcn8s."""

from __future__ import annotations

import json
from pathlib import Path

import click

from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("stage")
@click.option("--json", "as_json", is_flag=True, help="All of it, as one JSON object by stage.")
def main(stage: str, as_json: bool) -> None:
    """Draw STAGE of dvc.lock and all that it builds on: fingerprint, run, commit (+ if dirty), when, loss or score."""
    from ops import _lineage  # it loads MLflow, 3 s that other commands need not wait

    rows = _lineage.lineage(Path.cwd(), stage)
    click.echo(json.dumps(rows, indent=1) if as_json else "\n".join(_lineage.tree(rows)))


if __name__ == "__main__":
    main()
