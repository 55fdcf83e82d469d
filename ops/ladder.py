"""Draw the README's picture, image | label | one prediction per recipe: python -m ops.ladder OUT.png RECIPE…."""

from __future__ import annotations

from pathlib import Path

import click
from PIL import Image, ImageDraw, ImageFont

from pipeline.panels import panels
from pipeline.panels.panels import GAP, Shown
from stages.shared.stage import Stage

TILE = 192  # pixels that a tile's longer side is drawn with
TITLE = 24


def ladder(evaluations: Path, recipes: tuple[str, ...]) -> Image.Image:
    """One row per image that all show, RGB; the label stands between the image and the recipes' predictions."""
    nets = [_first_head(evaluations / recipe) for recipe in recipes]
    rows = []
    for key in [key for key in nets[0] if all(key in net for net in nets)]:
        first = nets[0][key].tiles()
        tiles = [first["image"], first["label"], *(net[key].tiles()["prediction"] for net in nets)]
        rows.append([Image.fromarray(tile) for tile in tiles])
    titles = ["image", "label", *recipes]
    heights = [round(row[0].height * TILE / max(row[0].size)) for row in rows]
    sheet = Image.new("RGB", (len(titles) * (TILE + GAP) - GAP, TITLE + sum(heights) + GAP * len(rows)), "white")
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        draw.text((column * (TILE + GAP) + 4, 5), title, fill="black", font=ImageFont.load_default(14))
    top = TITLE
    for row, height in zip(rows, heights, strict=True):
        for column, picture in enumerate(row):
            kind = Image.Resampling.LANCZOS if column == 0 else Image.Resampling.NEAREST
            width = round(picture.width * TILE / max(picture.size))
            sheet.paste(picture.resize((width, height), kind), (column * (TILE + GAP), top))
        top += height + GAP
    return sheet


def _first_head(evaluation: Path) -> dict[tuple[str, str], Shown]:
    """The evenly spread images by place and id."""
    rows = panels.read(evaluation)
    return {(row.place, row.id): row for row in rows if row.spread and row.head == rows[0].head}


@click.command(cls=Stage)
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("recipes", nargs=-1, required=True)
def main(out: Path, recipes: tuple[str, ...]) -> None:
    """Read eval/RECIPE/shown.parquet, which `dvc repro` wrote, and write OUT."""
    for recipe in recipes:
        if not (path := Path("eval", recipe, panels.FILE)).is_file():
            raise click.ClickException(f"{path} is missing: run dvc repro evaluate@{recipe}")
    ladder(Path("eval"), recipes).save(out)


if __name__ == "__main__":
    main()
