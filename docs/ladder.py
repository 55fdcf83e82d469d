"""Draw the README's picture, image | label | one prediction per recipe: python -m docs.ladder OUT.png RECIPE…."""

from pathlib import Path

import click

from pipeline.core.types import Refusal
from pipeline.panels import panels
from stages.shared.stage import Stage

TILE = 1.92  # inches of 100 pixels that a tile is drawn with


@click.command(cls=Stage)
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("recipes", nargs=-1, required=True)
def main(out: Path, recipes: tuple[str, ...]) -> None:
    """Read eval/RECIPE/shown.parquet, which `dvc repro` wrote, and write OUT: a row for each image that all show."""
    nets = []
    for recipe in recipes:
        if not (path := Path("eval", recipe, panels.FILE)).is_file():
            raise Refusal(f"{path} is missing: run dvc repro evaluate@{recipe}")
        rows = panels.read(path.parent)
        nets.append({row.id: row.tiles() for row in rows if row.spread and row.head == rows[0].head})
    from matplotlib.figure import Figure  # a second

    ids = [name for name in nets[0] if all(name in net for net in nets)]
    heights = [nets[0][name]["image"].shape[0] / nets[0][name]["image"].shape[1] for name in ids]
    figure = Figure(figsize=(TILE * (2 + len(nets)), TILE * sum(heights)), layout="constrained")
    grid = figure.subplots(len(ids), 2 + len(nets), squeeze=False, height_ratios=heights)
    for name, axes in zip(ids, grid, strict=True):
        tiles = [nets[0][name]["image"], nets[0][name]["label"], *(net[name]["prediction"] for net in nets)]
        for title, tile, axis in zip(("image", "label", *recipes), tiles, axes, strict=True):
            axis.imshow(tile, interpolation="nearest")
            axis.set_axis_off()
            axis.set_title(title if name == ids[0] else "", fontsize=9)
    figure.savefig(out, dpi=100, bbox_inches="tight", pad_inches=0.02)


if __name__ == "__main__":
    main()
