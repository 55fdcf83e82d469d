"""Prove that no recipe is scored on a photograph it trained on: python -m stages.leaks."""

from pathlib import Path

import click

from pipeline.leaks import leaks
from stages.shared.dvc import load
from stages.shared.stage import Stage


@click.command(cls=Stage)
def main() -> None:
    """data/splits.json and data/reports/*/fingerprints.parquet → data/leaks.json."""
    leaks(Path("data/reports"), load(Path("data/splits.json")), Path("data/leaks.json"))


if __name__ == "__main__":
    main()
