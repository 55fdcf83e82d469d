"""Cut an evaluation's panel back into what it was put together from: image, label, prediction, errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.evaluation.panels import GAP
from pipeline.types import Refusal

Pixels = NDArray[np.uint8]
TILES = ("image", "label", "prediction", "errors")


def cut(panel: Path, heads: int = 1) -> list[list[Image.Image]]:
    """A row of four tiles, RGB, for each of as many ``heads``, in the net's order.

    Raises Refusal for a file that is no picture, or not of such a panel's size.
    """
    try:
        with Image.open(panel) as opened:
            picture = opened.convert("RGB")
    except OSError as error:
        raise Refusal(f"{panel} is no picture ({error}): run its evaluate stage again") from None
    width, rest = divmod(picture.width - (len(TILES) - 1) * GAP, len(TILES))
    height, left = divmod(picture.height - (heads - 1) * GAP, heads)
    if rest or left or min(width, height) < 1:
        raise Refusal(f"{panel} is {picture.width}×{picture.height} px, no panel: run its evaluate stage again")
    lefts, tops = range(0, picture.width, width + GAP), range(0, picture.height, height + GAP)
    return [[picture.crop((left, top, left + width, top + height)) for left in lefts] for top in tops]


def fitted(tile: Image.Image, side: int, *, crisp: bool) -> Image.Image:
    """With ``side`` px as its longer side; ``crisp`` for maps, whose colours must not mix."""
    scale = side / max(tile.size)
    kind = Image.Resampling.NEAREST if crisp else Image.Resampling.LANCZOS
    return tile.resize((max(1, round(tile.width * scale)), max(1, round(tile.height * scale))), kind)
