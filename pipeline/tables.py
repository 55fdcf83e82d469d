"""Tables that Markdown shows as tables and a terminal in columns."""

from __future__ import annotations

from collections.abc import Sequence


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of as many texts as ``header`` has, each column as wide as its widest text; no newline at the end."""
    cells = [header, *([cell.replace("|", "/").replace("\n", " ") for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    first, *rest = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]
    return "\n".join([first, "|" + "|".join("-" * (width + 2) for width in widths) + "|", *rest])
