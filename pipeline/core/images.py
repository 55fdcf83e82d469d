"""Encode pixels as PNG, and read an encoded image's size."""

from __future__ import annotations

import io
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from pipeline.core.types import Encoded, Refusal


def png(pixels: NDArray[Any], palette: bytes = b"") -> bytes:
    """Equal pixels give equal bytes: H×W×3 uint8 is RGB, H×W uint8 or uint16 grey, or with a palette indices into it.

    ``palette`` holds RGB triples.
    """
    image = Image.fromarray(pixels)
    if palette:
        image.putpalette(palette)
    encoded = io.BytesIO()
    image.save(encoded, "PNG", compress_level=6)
    return encoded.getvalue()


def size(file: Encoded) -> tuple[int, int]:
    """Height and width in pixels, without decoding the image; Refusal where the bytes are none."""
    try:
        with Image.open(io.BytesIO(file.bytes)) as image:
            return image.height, image.width
    except OSError:
        raise Refusal(f"{file.path} is no image: fetch its archive again") from None
