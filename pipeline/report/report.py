"""Put the page together that people look at: results/report.md, its pictures, and report.html, which holds them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.core import files
from pipeline.published.ours import Ours, bounds, read
from pipeline.report import ceilings, classes, confusion, cost, curves, extremes, html, limits, page, plots, zoom
from pipeline.report.figures import FOLDER, Figures

TABLES = "## Table by table"


def write(evaluations: Path, bounding: Path, out: Path, scale: str, recipes: Mapping[str, Any]) -> None:
    """Write ``out``/report.md, report.html, figures/ and plots/ of the ``evaluations`` of this ``scale``.

    ``bounding`` is the folder of the stage bounds, ``recipes`` are params.yaml's rows. What an evaluation did not
    leave has no section. Equal inputs give equal bytes.

    Raises Refusal, and writes nothing, when there is no evaluation of this scale, or a file cannot be understood.
    """
    ours = read(evaluations, scale)
    with files.replacing(out / FOLDER) as folder, files.replacing(out / plots.FOLDER) as tables:
        folder.mkdir(parents=True)
        tables.mkdir(parents=True)
        blocks = [*_blocks(evaluations, bounding, ours, scale, recipes, Figures(folder))]
        text = "\n\n".join(blocks) + "\n"
        plots.write(evaluations, ours, tables)
        whole = html.page(text, folder)
    with files.replacing(out / "report.md") as scratch:
        scratch.write_text(text, encoding="utf-8")
    with files.replacing(out / "report.html") as scratch:
        scratch.write_text(whole, encoding="utf-8")


def _blocks(
    evaluations: Path, bounding: Path, ours: Sequence[Ours], scale: str, rows: Mapping[str, Any], figures: Figures
) -> Iterator[str]:
    recipes = [*dict.fromkeys(row.recipe for row in ours)]
    yield f"# Fully convolutional networks: what the scale {scale} reached"
    yield page.scaled(scale)
    yield "## Ours beside the published"
    yield from page.beside(ours, "###")
    yield from curves.section(curves.read(evaluations, recipes), figures)
    yield from classes.section(evaluations, recipes, figures)
    yield from confusion.section(evaluations, recipes, figures)
    yield from zoom.section(evaluations, recipes, figures)
    yield from extremes.section(evaluations, recipes, figures)
    yield from limits.section(limits.read(evaluations, recipes), figures)
    yield from ceilings.section(ours, ceilings.read(bounding))
    yield from cost.section(recipes, rows)
    yield TABLES
    yield from page.table_by_table(ours, scale, bounds(bounding / "voc-seg11valid.json", ours), "###")
