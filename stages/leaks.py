"""Prove that no recipe is scored on a photograph it trained on: python -m stages.leaks."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.leaks import leaks
from stages.shared.dvc import declared
from stages.shared.stage import Stage


@click.command(cls=Stage)
def main() -> None:
    """data/reports/*/fingerprints.parquet → data/leaks.json."""
    params = declared("leaks")
    leaks(Path("data/reports"), {**params["recipes"], **params["imports"]}, Path("data/leaks.json"))


if __name__ == "__main__":
    main()
