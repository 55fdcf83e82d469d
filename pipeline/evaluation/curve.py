"""Thin a training's losses to what a report draws, so that they lie beside its scores."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from pipeline.core import files
from pipeline.core.types import Refusal

POINTS = 200

Row = tuple[int, list[float]]


def read(history: Path) -> tuple[list[str], list[Row]]:
    """The columns of a history.tsv, the iteration first, and its rows. Raises Refusal for what is no such table."""
    try:
        with history.open(encoding="utf-8", newline="") as file:
            columns, *rows = csv.reader(file, delimiter="\t", strict=True)
        if columns[0] != "iteration" or any(len(row) != len(columns) for row in rows):
            raise ValueError(f"columns {', '.join(columns)}")
        return columns, [(int(done), [float(value) for value in values]) for done, *values in rows]
    except (OSError, ValueError, IndexError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Refusal(f"{history} holds no losses by iteration ({reason}): run its train stage again") from None


def write(path: Path, columns: list[str], rows: list[Row]) -> None:
    """``POINTS`` rows at most: each the mean of a stretch of rows, to six decimals, named by the stretch's end."""
    every = math.ceil(len(rows) / POINTS) or 1
    stretches = [rows[start : start + every] for start in range(0, len(rows), every)]
    with files.replacing(path) as scratch, scratch.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(columns)
        for stretch in stretches:
            values = zip(*(values for _, values in stretch), strict=True)
            table.writerow([stretch[-1][0], *(round(math.fsum(each) / len(stretch), 6) for each in values)])
