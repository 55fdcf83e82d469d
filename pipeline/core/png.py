"""Encode pixels as PNG: equal pixels give equal bytes."""

from __future__ import annotations

import io
from typing import Any

from numpy.typing import NDArray
from PIL import Image


def png(pixels: NDArray[Any], palette: bytes = b"") -> bytes:
    """H×W×3 uint8 as RGB, H×W uint8 or uint16 as grey; with RGB triples as ``palette``, H×W uint8 indices into them."""
    image = Image.fromarray(pixels)
    if palette:
        image.putpalette(palette)
    encoded = io.BytesIO()
    image.save(encoded, "PNG", compress_level=6)
    return encoded.getvalue()
