"""Hand on one of the weights that a training kept; run: python -m stages.pick voc-fcn16s-best."""

from pathlib import Path

import click

from pipeline.core import fields
from pipeline.pick import Pick, pick
from stages.shared.dvc import declared
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("key")
def main(key: str) -> None:
    """The weights that params.yaml's picks.KEY names → runs/KEY/model.safetensors."""
    row = fields.read(Pick, f"picks.{key}", declared(f"pick@{key}")[f"picks.{key}"])
    table = Path("eval", row.recipe, f"{row.by}.tsv")
    chosen = pick(row, Path("runs", row.recipe, "milestones"), table, Path("runs", key, "model.safetensors"))
    click.echo(f"{key}: {row.recipe} after {chosen} iterations")


if __name__ == "__main__":
    main()
