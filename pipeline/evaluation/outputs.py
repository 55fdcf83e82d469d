"""What an evaluation leaves of its images: a table of scores, panels/ to look at, and shown.parquet to read back."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core import files
from pipeline.panels import panels
from pipeline.panels.panels import Shown

WORST = 3


class Row(NamedTuple):
    """A head's scores of the image at ``position`` of the split, fractions; ``mean_iu`` over the classes in its truth.

    Both are None for an image that is void all over. The fields are the table's columns.
    """

    head: str
    position: int
    id: str
    pixel_acc: float | None
    mean_iu: float | None


def write_images(path: Path, rows: Iterable[Row], heads: Sequence[str]) -> None:
    """Tab-separated, a head after the other, each in the split's order; a score that is None is empty."""
    ordered = sorted(rows, key=lambda row: (heads.index(row.head), row.position))
    with files.replacing(path) as scratch, scratch.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([Row._fields, *ordered])


def extremes(rows: Iterable[Row], head: str) -> Mapping[str, Row]:
    """``best-1``, ``median-1`` (the lower of two) and ``worst-1`` to ``worst-3`` by ``head``'s mean IU.

    Of equals the lower position is better at both ends; one of few images may be several of these.
    """
    scored = [row for row in rows if row.head == head and row.mean_iu is not None]
    if not scored:
        return {}
    up = sorted(scored, key=lambda row: (row.mean_iu or 0.0, row.position))
    best = min(up, key=lambda row: (-(row.mean_iu or 0.0), row.position))
    worst = {f"worst-{place}": row for place, row in enumerate(up[:WORST], 1)}
    return {"best-1": best, "median-1": up[(len(up) - 1) // 2], **worst}


def write_panels(out: Path, rows: Sequence[Shown]) -> None:
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
    with files.replacing(out / panels.FILE) as scratch:
        pq.write_table(panels_table(rows), scratch, compression="zstd")


def panels_table(rows: Sequence[Shown]) -> pa.Table:
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
    return pa.Table.from_pylist(records, schema=pa.schema(panels.COLUMNS, metadata={panels.HEADS: heads}))
