"""Set our scores beside the published ones, as a page to read and a table to compute with."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from pipeline.core import files
from pipeline.published.ours import METRICS, Ours, bounds, read, reference
from pipeline.report import page


def write(evaluations: Path, out: Path, scale: str, bound: Path | None = None) -> None:
    """Write ``out``/table.csv and table.md from ``evaluations``/*/metrics.json of this ``scale``.

    Evaluations of another scale may lie beside them and are left out: their scores mean something else. ``bound`` is
    what the stage bounds wrote of VOC's validation split, to stand beside appendix A; it too may be another scale's.

    Raises Refusal when there is no evaluation of this scale, or a file cannot be understood.
    """
    ours = read(evaluations, scale)
    text = page.page(ours, scale, bounds(bound, ours) if bound else {})
    with files.replacing(out / "table.csv") as scratch:
        _write_csv(scratch, ours, scale)
    with files.replacing(out / "table.md") as scratch:
        scratch.write_text(text, encoding="utf-8")


def _write_csv(path: Path, ours: Iterable[Ours], scale: str) -> None:
    """Percent with four decimals, as the most precise published numbers; an empty cell is a number nobody printed."""
    printed = [*METRICS, "split", "source"]
    with path.open("w", encoding="utf-8", newline="") as file:
        names = [name for name in Ours.__dataclass_fields__ if name != "ids_sha256"]
        names += ["scale", *(f"published_{name}" for name in printed)]
        rows = csv.DictWriter(file, names, lineterminator="\n", extrasaction="ignore")
        rows.writeheader()
        for row in ours:
            theirs = reference(row)
            beside = {f"published_{name}": getattr(theirs, name, None) for name in printed}
            cells = {**asdict(row), "scale": scale, **beside}
            rows.writerow({name: f"{cell:.4f}" if isinstance(cell, float) else cell for name, cell in cells.items()})
