"""Tables that Markdown shows as tables and a terminal in columns; bytes and seconds as people say them."""

from collections.abc import Sequence

UNITS = ("B", "kB", "MB", "GB", "TB")


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of as many texts as ``header`` has, each column as wide as its widest text; no newline at the end."""
    cells = [header, *([cell.replace("|", "/").replace("\n", " ") for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    first, *rest = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]
    return "\n".join([first, "|" + "|".join("-" * (width + 2) for width in widths) + "|", *rest])


def duration(seconds: float) -> str:
    """``40 s``, ``4 min``, ``2.5 h``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def size(bytes_: float) -> str:
    """In powers of 1000, as disks and networks count."""
    for unit in UNITS:
        if bytes_ < 999.5 or unit == UNITS[-1]:
            break
        bytes_ /= 1000
    return f"{bytes_:.1f} {unit}" if unit != "B" and bytes_ < 9.95 else f"{bytes_:.0f} {unit}"
