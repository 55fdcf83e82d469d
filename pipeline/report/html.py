"""A page of Markdown and its pictures as one HTML file, which asks for nothing from anywhere."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from pipeline.core.types import Refusal
from pipeline.report.figures import FOLDER
from pipeline.report.style import CSS

KINDS = {".png": "image/png", ".svg": "image/svg+xml"}
BROAD = 300  # points
RIGHT = "text-align:right"
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{css}</style>
</head>
<body>
<div class="frame">
<nav aria-label="Contents">
<p>Contents</p>
<ol>
{contents}
</ol>
</nav>
<main>
{body}</main>
</div>
</body>
</html>
"""


def page(markdown: str, pictures: Path) -> str:
    """HTML of ``markdown``: what it shows of figures/ lies in the folder ``pictures`` and is inlined.

    Tables scroll inside themselves.

    HTML within the Markdown is shown as the text that it is. Raises Refusal for a picture that is not there.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(markdown)
    headings = _anchored(tokens)
    _aligned(tokens)
    for token in tokens:
        for child in token.children or ():
            if child.type == "image":
                child.attrs |= _inlined(pictures / str(child.attrs["src"]).removeprefix(f"{FOLDER}/"))
    title = next((text for tag, text, _ in headings if tag == "h1"), "Report")
    links = (f'<li><a href="#{slug}">{html.escape(text)}</a></li>' for tag, text, slug in headings if tag == "h2")
    body = parser.renderer.render(tokens, parser.options, {})
    return PAGE.format(title=html.escape(title), css=CSS, contents="\n".join(links), body=_scrolling(body))


def _anchored(tokens: Sequence[Token]) -> list[tuple[str, str, str]]:
    """Give each heading an id; (tag, text, id) of all."""
    found: list[tuple[str, str, str]] = []
    for opened, inside in pairwise(tokens):
        if opened.type == "heading_open":
            text = "".join(child.content for child in inside.children or ())
            slug = stem = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "section"
            taken = {slug for _, _, slug in found}
            count = 1
            while slug in taken:
                count += 1
                slug = f"{stem}-{count}"
            opened.attrs["id"] = slug
            found.append((opened.tag, text, slug))
    return found


def _aligned(tokens: Sequence[Token]) -> None:
    """Numbers are set right by a class: a page without style attributes needs no exception from a strict server."""
    for token in tokens:
        style: Any = token.attrs.pop("style", "") if token.type in ("th_open", "td_open") else ""
        if style == RIGHT:
            token.attrs["class"] = "right"


def _inlined(path: Path) -> dict[str, str | int | float]:
    """Attributes of a picture; a chart that a telephone cannot show at its size is ``broad`` and scrolls."""
    try:
        content = path.read_bytes()
    except OSError:
        raise Refusal(f"{path} is not here, and the page shows it: dvc pull {path.parent}, or fcn run report") from None
    width = re.search(rb'width="([\d.]+)pt"', content[:1000]) if path.suffix == ".svg" else None
    broad = {"class": "broad"} if width and float(width[1]) > BROAD else {}
    return {"src": f"data:{KINDS[path.suffix]};base64,{base64.b64encode(content).decode()}", **broad}


def _scrolling(body: str) -> str:
    """A frame around each table that scrolls by itself, by keys too."""
    body = body.replace("<table>", '<div class="scroll" role="region" aria-label="Table" tabindex="0"><table>')
    return body.replace("</table>", "</table></div>")
