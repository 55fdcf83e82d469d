"""Charts that are the same bytes everywhere, on light and dark pages alike; and a page with them as one HTML file."""

import base64
import html
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from itertools import count, pairwise
from pathlib import Path
from string import Template
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from matplotlib import get_data_path, style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, fontManager
from matplotlib.ft2font import FT2Font
from PIL import Image

from pipeline.core.types import Refusal

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
KINDS = {".png": "image/png", ".svg": "image/svg+xml"}
BROAD = 300  # points
PAGE = Path(__file__).with_name("page.html")
# Only matplotlib's own fonts, which are the same bytes everywhere: a machine's DejaVu may be another
fontManager.ttflist = []
for own in sorted(Path(get_data_path(), "fonts/ttf").glob("*.ttf")):
    fontManager.addfont(own)
LETTERS = FT2Font(findfont("DejaVu Sans")).get_charmap()


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


def as_html(markdown: str, pictures: Path) -> str:
    """HTML of ``markdown``: what it shows of figures/ lies in the folder ``pictures`` and is inlined.

    Tables scroll inside themselves, by keys too. HTML within the Markdown is shown as the text that it is.
    Raises Refusal for a picture that is not there.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(markdown)
    headings = _anchored(tokens)
    for token in tokens:
        # Numbers are set right by a class: a page without style attributes needs no exception from a strict server
        style: Any = token.attrs.pop("style", "") if token.type in ("th_open", "td_open") else ""
        if style == "text-align:right":
            token.attrs["class"] = "right"
        for child in token.children or ():
            if child.type == "image":
                child.attrs |= _inlined(pictures / str(child.attrs["src"]).removeprefix(f"{FOLDER}/"))
    title = next((text for tag, text, _ in headings if tag == "h1"), "Report")
    links = (f'<li><a href="#{slug}">{html.escape(text)}</a></li>' for tag, text, slug in headings if tag == "h2")
    body = parser.renderer.render(tokens, parser.options, {})
    body = body.replace("<table>", '<div class="scroll" role="region" aria-label="Table" tabindex="0"><table>')
    body = body.replace("</table>", "</table></div>")
    template = Template(PAGE.read_text(encoding="utf-8"))
    return template.substitute(title=html.escape(title), contents="\n".join(links), body=body)


def _anchored(tokens: Sequence[Token]) -> list[tuple[str, str, str]]:
    """Give each heading an id; (tag, text, id) of all."""
    found: dict[str, tuple[str, str, str]] = {}
    for opened, inside in pairwise(tokens):
        if opened.type == "heading_open":
            text = "".join(child.content for child in inside.children or ())
            stem = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "section"
            slug = next(slug for place in count(1) if (slug := f"{stem}-{place}" if place > 1 else stem) not in found)
            opened.attrs["id"] = slug
            found[slug] = opened.tag, text, slug
    return [*found.values()]


def _inlined(path: Path) -> dict[str, str | int | float]:
    """Attributes of a picture; a chart that a telephone cannot show at its size is ``broad`` and scrolls."""
    try:
        content = path.read_bytes()
    except OSError:
        raise Refusal(f"{path} is not here, and the page shows it: dvc pull {path.parent}, or fcn run report") from None
    width = re.search(rb'width="([\d.]+)pt"', content[:1000]) if path.suffix == ".svg" else None
    broad = {"class": "broad"} if width and float(width[1]) > BROAD else {}
    return {"src": f"data:{KINDS[path.suffix]};base64,{base64.b64encode(content).decode()}", **broad}
