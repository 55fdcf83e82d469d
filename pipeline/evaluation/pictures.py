"""Write what an evaluation shows: panels/ for people to look at, and shown.parquet, which alone is read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core import files
from pipeline.panels import panels, shown
from pipeline.panels.shown import Shown


def write(out: Path, rows: Sequence[Shown]) -> None:
    """Write ``out``/panels, a PNG for each place of ``rows``, and ``out``/shown.parquet; equal rows give equal bytes.

    The rows of a place stand together.
    """
    with files.replacing(out / "panels") as folder:
        folder.mkdir()
        for _, heads in groupby(rows, key=lambda row: row.place):
            first, *others = heads
            truth, predicted, labels = (
                {row.head: getattr(row, name) for row in (first, *others)} for name in ("truth", "predicted", "label")
            )
            panel = panels.panel(first.image, truth, predicted, labels)
            (folder / panels.file_name(first.place, first.id)).write_bytes(panels.png(panel))
    with files.replacing(out / shown.FILE) as scratch:
        pq.write_table(table(rows), scratch, compression="zstd")


def table(rows: Sequence[Shown]) -> pa.Table:
    """As the file has it: equal rows give an equal table. The image, as PNG, is in the first row of its place alone."""
    heads = json.dumps({row.head: row.label.to_json() for row in rows})
    first = {row.place: row for row in reversed(rows)}
    records = [
        {
            **{name: getattr(row, name) for name in ("place", "head", "id")},
            **dict(zip(("height", "width"), row.truth.shape, strict=True)),
            "image": panels.png(row.image) if first[row.place] is row else None,
            "truth": row.truth.tobytes(),
            "predicted": row.predicted.tobytes(),
        }
        for row in rows
    ]
    return pa.Table.from_pylist(records, schema=pa.schema(shown.COLUMNS, metadata={shown.HEADS: heads}))
