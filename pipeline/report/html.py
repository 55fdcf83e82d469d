"""A page of Markdown and its pictures as one HTML file, which asks for nothing from anywhere."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from itertools import count, pairwise
from pathlib import Path
from string import Template
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from pipeline.core.types import Refusal
from pipeline.report.figures import FOLDER

KINDS = {".png": "image/png", ".svg": "image/svg+xml"}
BROAD = 300  # points
PAGE = Path(__file__).with_name("page.html")


def page(markdown: str, pictures: Path) -> str:
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
