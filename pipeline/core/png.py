"""Encode pixels as PNG: equal pixels give equal bytes."""

import io
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from pipeline.core.types import Color, color

PASCAL = tuple(color(index) for index in range(256))


def png(pixels: NDArray[Any], palette: Sequence[Color] = ()) -> bytes:
    """H×W×3 uint8 as RGB, H×W uint8 or uint16 as grey; with a ``palette``, H×W uint8 as indices into it."""
    image = Image.fromarray(pixels)
    if palette:
        image.putpalette(bytes(channel for color in palette for channel in color))
    encoded = io.BytesIO()
    image.save(encoded, "PNG", compress_level=6)
    return encoded.getvalue()
