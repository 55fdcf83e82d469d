"""Pictures beside a page: charts that are the same bytes everywhere and stand on light and dark pages alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

FOLDER, TILES = "figures", "tiles"  # beside the page, and in it
INK, FAINT = "#24292f", "#8c959f"  # text and axes; grids. A dark page turns the first around and keeps the second
DARK = (
    "<style>@media (prefers-color-scheme: dark) {"
    f'[style*="fill: {INK}"] {{fill: #d7dce1 !important}} [style*="stroke: {INK}"] {{stroke: #d7dce1 !important}}'
    "}</style>"
)
STRIDES = {32: "#d4820f", 16: "#2f8fd0", 8: "#12946c", 4: "#c0579a"}  # told apart by colour-blind eyes, on both pages
OTHER = "#8a6fd1"
WIDTH, HEIGHT = 3.6, 2.3  # inches: a telephone shows that at its size, a wide page two in a row, enlarged
STYLE = Path(__file__).with_name("figures.mplstyle")


def color(stride: int) -> str:
    """The line or bar of a net of this stride, in every chart."""
    return STRIDES.get(stride, OTHER)


def escaped(text: str) -> str:
    """A name of somebody's, such as a class's, as Markdown that shows it and nothing else."""
    return re.sub(r"([\\`*_\[\]<>|#!&~])", r"\\\1", " ".join(text.split()))


class Figures:
    """The folder of pictures that a page shows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def chart(
        self, name: str, title: str, x: str, y: str, *, width: float = WIDTH, height: float = HEIGHT
    ) -> Iterator[Axes]:
        """Axes of so many inches to draw on. Kept as SVG without time and version; what has a label is in a legend.

        No matplotlibrc of this machine touches it.
        """
        with style.context(STYLE, after_reset=True):
            figure = Figure(figsize=(width, height), layout="constrained")
            drawn = figure.subplots()
            drawn.set(title=title, xlabel=x, ylabel=y)
            yield drawn
            if drawn.get_legend_handles_labels()[0]:
                figure.legend(loc="outside lower left", ncols=2)
            made = StringIO()
            figure.savefig(made, format="svg", metadata={"Date": None, "Creator": None})
        self._path(f"{name}.svg").write_text(made.getvalue().replace("<defs>", f"{DARK}<defs>", 1), encoding="utf-8")

    def shown(self, name: str, alt: str) -> str:
        """Markdown that shows what is kept as ``name``."""
        return f"![{escaped(alt)}]({FOLDER}/{name})"

    def picture(self, name: str, alt: str, picture: Image.Image) -> str:
        """Keep pixels as PNG, in a folder below: MLflow, which has them in the page, need not have each by itself."""
        picture.save(self._path(f"{TILES}/{name}.png"), optimize=True)
        return self.shown(f"{TILES}/{name}.png", alt)

    def _path(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
