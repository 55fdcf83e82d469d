"""Set every evaluation beside the published numbers; run: python -m stages.report."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.report import report, table
from stages.shared.dvc import declared
from stages.shared.stage import Stage


@click.command(cls=Stage)
def main() -> None:
    """Write results/table.csv and table.md, and the page report.md and report.html with its pictures, from eval/."""
    params = declared("report")
    evaluations, bounds, out = Path("eval"), Path("data/bounds"), Path("results")
    report.write(evaluations, bounds, out, params["scale"], params["recipes"])
    table.write(evaluations, out, params["scale"], bounds / "voc-seg11valid.json")


if __name__ == "__main__":
    main()
