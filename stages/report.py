"""Set every evaluation beside the published numbers; run: python -m stages.report."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.report import table
from stages._params import declared
from stages._stage import Stage


@click.command(cls=Stage)
def main() -> None:
    """Write results/table.csv and table.md from eval/*/metrics.json."""
    params = declared("report")
    bounds = Path("data/bounds/voc-seg11valid.json")
    table.write(Path("eval"), Path("results"), params["scale"], bounds)


if __name__ == "__main__":
    main()
