"""Write all results: the tables, the page that people look at, its pictures, and report.html, which holds them all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from pipeline.core import files
from pipeline.report import charts, html, inputs, page, tables, tiles
from pipeline.report.figures import FOLDER, Figures
from pipeline.report.inputs import Outputs

TABLES = "## Table by table"
PAGE = Path(__file__).with_name("report.md")


def write(evaluations: Path, bounds: Path, out: Path, scale: str, recipes: Mapping[str, Any]) -> None:
    """Write ``out``/table.csv, table.md, report.md, report.html, figures/ and plots/ from ``evaluations``/*.

    ``bounds`` is the folder of the stage bounds, ``recipes`` are params.yaml's rows. Evaluations of another ``scale``
    may lie beside those of this one and are left out: their scores mean something else. Equal inputs give equal bytes.

    Raises Refusal, and writes nothing, when there is no evaluation of this scale, or a file cannot be understood.
    """
    outputs = inputs.read(evaluations, bounds, scale)
    with files.replacing(out / FOLDER) as figures, files.replacing(out / "plots") as plots:
        figures.mkdir(parents=True)
        plots.mkdir(parents=True)
        text = _filled(_parts(outputs, scale, recipes, Figures(figures)))
        for name, content in tables.plots(outputs).items():
            (plots / name).write_text(content, encoding="utf-8")
        texts = {"report.md": text, "report.html": html.page(text, figures)}
    texts |= {"table.csv": tables.table(outputs.ours, scale), "table.md": page.page(outputs, scale)}
    for name, content in texts.items():
        with files.replacing(out / name) as scratch:
            scratch.write_text(content, encoding="utf-8")


def _parts(outputs: Outputs, scale: str, recipes: Mapping[str, Any], figures: Figures) -> dict[str, str]:
    """Markdown by its name in ``PAGE``; empty where the evaluations lack the files for it."""
    return {
        "scale": scale,
        "scaled": page.scaled(scale),
        "beside": page.beside(outputs.ours, "###"),
        "window": str(charts.WINDOW),
        "curves": charts.curves(outputs.curves, figures),
        "classes": charts.classes(outputs.counts, figures),
        "confusions": charts.confusions(outputs.counts, figures),
        "windows": str(tiles.SHOWN),
        "close_up": tiles.close_up(outputs, figures),
        "extremes": tiles.extremes(outputs, figures),
        "boundaries": charts.boundaries(outputs.limits, figures),
        "outlines": page.outlines(outputs.limits),
        "sizes": charts.sizes(outputs.limits, figures),
        "ceilings": page.ceilings(outputs),
        "costs": page.costs(outputs.recipes, recipes),
        "tables": page.table_by_table(outputs, scale, "###"),
    }


def _filled(parts: Mapping[str, str]) -> str:
    """``PAGE`` without the sections that lack a part."""
    sections = map(Template, re.split(r"\n\n(?=## )", PAGE.read_text(encoding="utf-8").rstrip()))
    kept = (section for section in sections if all(parts[name] for name in section.get_identifiers()))
    return "\n\n".join(section.substitute(parts) for section in kept) + "\n"
