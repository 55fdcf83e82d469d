"""Say which split each net learned from and on which it is scored: python -m stages.splits."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.core import files
from pipeline.leaks import learned
from stages.shared.dvc import declared
from stages.shared.stage import Stage


@click.command(cls=Stage)
def main() -> None:
    """params.yaml's recipes, imports and fusions → data/splits.json."""
    params = declared("splits")
    rows = learned({**(params["recipes"] or {}), **(params["imports"] or {})}, params["fusions"] or {})
    files.write_json(Path("data/splits.json"), rows)


if __name__ == "__main__":
    main()
