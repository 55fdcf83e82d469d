"""Decode what a shard holds: JPEG by libjpeg-turbo straight into its array, where simplejpeg is installed."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

try:
    from simplejpeg import decode_jpeg
except ImportError:  # Pillow has the same pixels of the same library, in half as long again
    decode_jpeg = None

JPEG = b"\xff\xd8"


def image(encoded: pa.Buffer, mode: str) -> NDArray[Any]:
    """H×W×3 uint8 of mode RGB, H×W uint8 of L, H×W uint16 of I;16; an array of its own, which torch may write to.

    Pillow has the last word on a JPEG that libjpeg-turbo warns of. Raises OSError for bytes that are no image.
    """
    octets = memoryview(encoded).cast("B")  # Arrow's are signed
    if decode_jpeg and mode == "RGB" and octets[:2] == JPEG:
        with suppress(ValueError):
            pixels: NDArray[np.uint8] = decode_jpeg(octets, "RGB", fastdct=False, fastupsample=False)  # as Pillow does
            return pixels
    with Image.open(io.BytesIO(encoded)) as opened:
        return np.array(opened if opened.mode == mode else opened.convert(mode))


def label(encoded: pa.Buffer) -> NDArray[np.uint8]:
    """H×W uint8, the indices of a grey or paletted PNG."""
    with Image.open(io.BytesIO(encoded)) as opened:
        return np.array(opened, dtype=np.uint8)
