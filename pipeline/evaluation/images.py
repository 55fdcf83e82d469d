"""Score images one by one: a table of all, and which are the best, the median and the worst."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.core import files

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


def write(path: Path, rows: Iterable[Row], heads: Sequence[str]) -> None:
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
