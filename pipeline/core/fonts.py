"""The letters of pictures: matplotlib's own fonts alone, the same bytes everywhere; a machine's DejaVu may differ."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from matplotlib import get_data_path
from matplotlib.font_manager import fontManager
from matplotlib.ft2font import FT2Font

SANS = Path(get_data_path(), "fonts/ttf/DejaVuSans.ttf")  # Pillow's own font has no é, ß or ×


def pin() -> None:
    """Have matplotlib draw with its own fonts alone."""
    fontManager.ttflist = []
    for own in sorted(SANS.parent.glob("*.ttf")):
        fontManager.addfont(own)


def drawable(names: Sequence[str], places: Iterable[int] | None = None, font: Path = SANS) -> list[str]:
    """Classes' ``names`` as ``font`` can draw them; the letters that it lacks are told once.

    A name that loses letters begins with the class's index, which is its place or as ``places`` has it: ``7: cat``.
    """
    if lacking := lacks(font, "".join(names)):
        _tell(font, lacking)
    drawn = []
    for place, name in zip(range(len(names)) if places is None else places, names, strict=True):
        rest = "".join(letter for letter in name if letter not in lacking).strip()
        drawn.append(name if rest == name.strip() else f"{place}: {rest}" if rest else str(place))
    return drawn


def lacks(font: Path, text: str) -> str:
    """The letters of ``text`` that ``font`` cannot draw, sorted."""
    has = _charmap(font)
    return "".join(letter for letter in sorted({*text}) if ord(letter) not in has)


@cache
def _charmap(font: Path) -> dict[int, int]:
    return FT2Font(font).get_charmap()


@cache
def _tell(font: Path, lacking: str) -> None:
    logging.warning("%s has no %s: pictures name such classes by their index", font.stem, lacking)
