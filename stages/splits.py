"""Say which split each net learned from and on which it is scored: python -m stages.splits."""

from pathlib import Path

import click

from pipeline.core import files
from pipeline.leaks import learned, picks_as_recipes, validated
from stages.shared.dvc import declared
from stages.shared.stage import Stage


@click.command(cls=Stage)
def main() -> None:
    """params.yaml's recipes, imports, picks, fusions and validations → data/splits.json."""
    params = declared("splits")
    recipes, picks = params["recipes"] or {}, params["picks"] or {}
    picked = picks_as_recipes(picks, recipes)
    rows = learned({**recipes, **(params["imports"] or {}), **picked}, params["fusions"] or {})
    rows |= validated(params["validations"] or {}, recipes)
    files.write_json(Path("data/splits.json"), rows)


if __name__ == "__main__":
    main()
