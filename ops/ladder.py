"""Draw the README's picture, image | label | one prediction per recipe: python -m ops.ladder OUT.png RECIPE…."""

from __future__ import annotations

from pathlib import Path

import click
from PIL import Image, ImageDraw, ImageFont

from pipeline.evaluation.panels import GAP
from pipeline.report.tiles import cut

TILE = 192  # pixels that a tile's longer side is drawn with
TITLE = 24


def ladder(evaluations: Path, recipes: tuple[str, ...]) -> Image.Image:
    """One row per panelled image, RGB; the label stands between the image and the recipes' predictions."""
    names = sorted(path.name for path in (evaluations / recipes[0] / "panels").glob("*.png"))
    rows = []
    for name in names:
        panels = [cut(evaluations / recipe / "panels" / name)[0] for recipe in recipes]
        rows.append([panels[0][0], panels[0][1], *(panel[2] for panel in panels)])
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


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("recipes", nargs=-1, required=True)
def main(out: Path, recipes: tuple[str, ...]) -> None:
    """Read eval/RECIPE/panels, which `dvc repro` wrote, and write OUT."""
    for recipe in recipes:
        if not (Path("eval") / recipe / "panels").is_dir():
            raise click.ClickException(f"eval/{recipe}/panels is missing: run dvc repro evaluate@{recipe}")
    ladder(Path("eval"), recipes).save(out)


if __name__ == "__main__":
    main()
