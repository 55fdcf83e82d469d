"""A font that has the letters of some names: DejaVu, which comes with matplotlib, or else one of this machine's."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache

from matplotlib.font_manager import findfont, findSystemFonts
from matplotlib.ft2font import FT2Font

MISSING = "□"


def covering(names: Sequence[str]) -> tuple[str, list[str]]:
    """The path of a font and ``names`` as it can draw them: □ for each letter that no font here has, which is told."""
    path, lacking = _best("".join(sorted({letter for name in names for letter in name if letter.isprintable()})))
    return path, ["".join(MISSING if letter in lacking else letter for letter in name) for name in names]


@cache
def _best(letters: str) -> tuple[str, str]:
    """The font that lacks the fewest of ``letters``, and those."""
    best, lacking = "", letters + " "
    for path in [findfont("DejaVu Sans"), *sorted(findSystemFonts())]:
        try:
            has = FT2Font(path).get_charmap()
        except (RuntimeError, OSError):  # a broken file, or of a kind that matplotlib does not read
            continue
        missing = "".join(letter for letter in letters if ord(letter) not in has)
        if len(missing) < len(lacking):
            best, lacking = path, missing
        if not lacking:
            return best, ""
    logging.warning("no font here has %s: names show □; apt-get install fonts-noto fonts-noto-cjk", lacking)
    return best, lacking
