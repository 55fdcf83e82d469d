"""Set every evaluation beside the published numbers; run: python -m stages.report."""

from pathlib import Path

import click

from pipeline.report import report
from stages.shared.dvc import declared
from stages.shared.stage import Stage


@click.command(cls=Stage)
def main() -> None:
    """Write results/table.csv and table.md, and the page report.md and report.html with its pictures, from eval/.

    It shows the recipes, imports and picks of params.yaml alone: in eval/ git may hold nets of others.
    """
    params = declared("report")
    recipes, others = params["recipes"] or {}, [*(params["imports"] or {}), *(params["picks"] or {})]
    report.write(Path("eval"), Path("data/bounds"), Path("results"), params["scale"], recipes, [*recipes, *others])


if __name__ == "__main__":
    main()
