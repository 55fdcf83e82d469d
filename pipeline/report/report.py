"""Write all results: the tables, the page that people look at, its pictures, and report.html, which holds them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.core import files
from pipeline.report import charts, classes, extremes, html, inputs, page, tables, zoom
from pipeline.report.figures import FOLDER, Figures
from pipeline.report.inputs import Bounds, Outputs

TABLES = "## Table by table"


def write(evaluations: Path, bounding: Path, out: Path, scale: str, recipes: Mapping[str, Any]) -> None:
    """Write ``out``/table.csv, table.md, report.md, report.html, figures/ and plots/ from ``evaluations``/*.

    ``bounding`` is the folder of the stage bounds, ``recipes`` are params.yaml's rows. Evaluations of another ``scale``
    may lie beside those of this one and are left out: their scores mean something else. What an evaluation does not
    have gets no section. Equal inputs give equal bytes.

    Raises Refusal, and writes nothing, when there is no evaluation of this scale, or a file cannot be understood.
    """
    outputs, bounds = inputs.read(evaluations, scale), inputs.bounds(bounding)
    with files.replacing(out / FOLDER) as figures, files.replacing(out / "plots") as plots:
        figures.mkdir(parents=True)
        plots.mkdir(parents=True)
        text = "\n\n".join(_blocks(outputs, bounds, scale, recipes, Figures(figures))) + "\n"
        for name, table in tables.plots(outputs).items():
            (plots / name).write_text(table, encoding="utf-8")
        texts = {"report.md": text, "report.html": html.page(text, figures)}
    texts |= {"table.csv": tables.table(outputs.ours, scale), "table.md": page.page(outputs.ours, scale, bounds)}
    for name, content in texts.items():
        with files.replacing(out / name) as scratch:
            scratch.write_text(content, encoding="utf-8")


def _blocks(outputs: Outputs, bounds: Bounds, scale: str, rows: Mapping[str, Any], figures: Figures) -> Iterator[str]:
    yield f"# Fully convolutional networks: what the scale {scale} reached"
    yield page.scaled(scale)
    yield "## Ours beside the published"
    yield from page.beside(outputs.ours, "###")
    yield from charts.curves(outputs.curves, figures)
    yield from classes.scores(outputs.counts, figures)
    yield from classes.confusions(outputs.counts, figures)
    yield from zoom.section(outputs.folder, outputs.recipes, figures)
    yield from extremes.section(outputs.folder, outputs.recipes, figures)
    yield from charts.limits(outputs.limits, figures)
    yield from page.ceilings(outputs.ours, bounds)
    yield from page.costs(outputs.recipes, rows)
    yield TABLES
    yield from page.table_by_table(outputs.ours, scale, bounds, "###")
