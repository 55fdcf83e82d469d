"""Write all results: tables, the page that people look at, its pictures, and report.html, which holds them all."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

import pandas as pd

from pipeline.core import files
from pipeline.published import ladder
from pipeline.published.published import METRICS
from pipeline.report import charts, inputs, page, tiles
from pipeline.report.charts import smooth
from pipeline.report.figures import FOLDER, Figures, as_html
from pipeline.report.inputs import Content, Heads, Ours, Outputs

TABLES = "## Table by table"
PAGE = Path(__file__).with_name("report.md")


def write(
    evaluations: Path, bounds: Path, out: Path, scale: str, recipes: Mapping[str, Any], shown: Iterable[str]
) -> None:
    """Write ``out``/table.csv, table.md, report.md, report.html, figures/ and plots/ from the evaluations ``shown``.

    They lie in ``evaluations`` by their recipes' names; others may lie beside them, such as git's of nets that are in
    params.yaml no more. Those of another ``scale`` are left out: their scores mean something else. ``bounds`` is the
    folder of the stage bounds, ``recipes`` are params.yaml's rows. Equal inputs give equal bytes.

    Raises Refusal, and writes nothing, when there is no evaluation of this scale, or a file cannot be understood.
    """
    outputs = inputs.read(evaluations, bounds, scale, shown)
    with files.replacing(out / FOLDER) as figures, files.replacing(out / "plots") as plots:
        figures.mkdir(parents=True)
        plots.mkdir(parents=True)
        text = _filled(_parts(outputs, scale, recipes, Figures(figures)))
        for name, content in plot_tables(outputs).items():
            (plots / name).write_text(content, encoding="utf-8")
        texts = {"report.md": text, "report.html": as_html(text, figures)}
    texts |= {"table.csv": table(outputs.ours, scale), "table.md": page.page(outputs, scale)}
    for name, content in texts.items():
        with files.replacing(out / name) as scratch:
            scratch.write_text(content, encoding="utf-8")


def _parts(outputs: Outputs, scale: str, recipes: Mapping[str, Any], figures: Figures) -> dict[str, str]:
    """Markdown by its name in ``PAGE``; empty where the evaluations lack the files for it."""
    boundaries, sizes = charts.limits(outputs.limits, figures)
    return {
        "scale": scale,
        "scaled": page.scaled(scale),
        "beside": page.beside(outputs, "###"),
        "window": str(charts.WINDOW),
        "curves": charts.curves(outputs.curves, figures),
        "milestones": charts.milestones(outputs.milestones, figures),
        "classes": charts.classes(outputs.counts, figures),
        "confusions": charts.confusions(outputs.counts, figures),
        "windows": str(tiles.SHOWN),
        "close_up": tiles.close_up(outputs, figures),
        "extremes": tiles.extremes(outputs, figures),
        "boundaries": boundaries,
        "outlines": page.outlines(outputs.limits),
        "sizes": sizes,
        "ceilings": page.ceilings(outputs),
        "costs": page.costs(outputs.recipes, recipes),
        "tables": page.table_by_table(outputs, scale, "###"),
    }


def _filled(parts: Mapping[str, str]) -> str:
    """``PAGE`` without the sections that lack a part."""
    sections = map(Template, re.split(r"\n\n(?=## )", PAGE.read_text(encoding="utf-8").rstrip()))
    kept = (section for section in sections if all(parts[name] for name in section.get_identifiers()))
    return "\n\n".join(section.substitute(parts) for section in kept) + "\n"


def table(ours: Iterable[Ours], scale: str) -> str:
    """Ours beside the published; an empty cell is a number nobody printed."""
    rows = []
    for row in ours:
        theirs = ladder.reference(row.recipe, row.head)
        beside = {f"published_{name}": getattr(theirs, name, None) for name in (*METRICS, "split", "source")}
        rows.append({**row._asdict(), "scale": scale, **beside})
    return _csv(pd.DataFrame(rows).drop(columns="ids_sha256"))


def plot_tables(outputs: Outputs) -> dict[str, str]:
    """loss.csv, milestones.csv, iu.csv and trimap.csv by name; a table whose inputs are absent has a header alone.

    ``dataset`` names the head, too, of a net that has several.
    """
    losses = [
        (recipe, ladder.dataset(recipe), f"{iteration:.0f}", f"{loss:.6f}")
        for recipe, curve in outputs.curves.items()
        for iteration, loss in smooth(curve)
    ]
    kept = [(*named, f"{row[0]:.0f}", row[1]) for named, curve in _heads(outputs.milestones) for row in curve]
    scores = [
        (*named, name, iu)
        for named, counts in _heads(outputs.counts)
        for name, iu in zip(counts.classes, counts.iu(), strict=True)
    ]
    bands = [(*named, *band) for named, limits in _heads(outputs.limits) for band in limits.trimap]
    return {
        "loss.csv": _csv(pd.DataFrame(losses, columns=["recipe", "dataset", "iteration", "loss"])),
        "milestones.csv": _csv(pd.DataFrame(kept, columns=["recipe", "dataset", "iteration", "mean_iu"])),
        "iu.csv": _csv(pd.DataFrame(scores, columns=["recipe", "dataset", "class", "iu"]).dropna(subset="iu")),
        "trimap.csv": _csv(pd.DataFrame(bands, columns=["recipe", "dataset", "pixels", "mean_iu"])),
    }


def _heads(found: Heads[Content]) -> Iterator[tuple[tuple[str, str], Content]]:
    for recipe, heads in found.items():
        for head, one in heads.items():
            dataset = ladder.dataset(recipe)
            yield (recipe, dataset if len(heads) == 1 else f"{dataset}, {head}"), one


def _csv(frame: pd.DataFrame) -> str:
    """Percent with four decimals, as the most precise published numbers."""
    return frame.to_csv(index=False, float_format="%.4f", lineterminator="\n")
