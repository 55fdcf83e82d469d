"""Render a miniature world in an original's archive format: python -m stages.miniature KEY."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.core import counts, plugins
from stages.shared.dvc import declared
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("key")
def main(key: str) -> None:
    """Write data/raw/KEY/ as params.yaml's miniatures.KEY says."""
    row = declared(f"miniature@{key}")[f"miniatures.{key}"]
    world = plugins.load("miniature", key)
    numbers = counts.parse(f"miniatures.{key}.counts", row["counts"], world.COUNTS)
    world.render(Path("data/raw") / key, seed=row["seed"], side=row["side"], **numbers)


if __name__ == "__main__":
    main()
