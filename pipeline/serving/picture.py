"""Any picture file as the pixels that a net sees: RGB uint8, or millimetres of depth, or a refusal with its name."""

import io
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.core.types import Refusal
from pipeline.fcn.inputs import MILLIMETRES

Pixels = NDArray[np.uint8]
GREY16 = ("I;16", "I;16L", "I;16B", "I;16N")
OPAQUE = ("RGB", "1", "L", "P", "CMYK", "YCbCr", "RGBX")  # what Pillow turns into RGB without a loss that matters
SEEN_THROUGH = ("LA", "PA", "La", "RGBA", "RGBa")
FORMATS = ("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TGA", "TIFF", "WEBP")
BAND = 256  # rows
Image.init()
SUFFIXES = frozenset(suffix for suffix, form in Image.registered_extensions().items() if form in FORMATS)
DEPTHS = (8, 10, 12, 14, 16)  # bits that cameras and scanners put into samples of 16
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, KeyError, MemoryError, OverflowError)


def read(source: bytes | Path, name: str, column: str = "color") -> NDArray[Any]:
    """Decode an encoded picture, its bytes or its path: H×W×3 uint8 RGB, or H×W uint16 where ``column`` is a depth.

    A plain RGB file gives the pixels that ``shards.reader`` gives. Otherwise it is what a viewer shows: turned as its
    EXIF says, transparency over white, grey and palette and CMYK as RGB, of an animation the first frame. Of grey with
    16 bits the upper 8 of those that it uses (8, 10, 12, 14 or 16) are taken; colour of 16 bits, of which Pillow reads
    the upper 8, has to use more than 12. Colour profiles are not looked at, as they are not in training.

    Raises Refusal naming ``name`` where the bytes are no picture, not all of one, or more pixels than Pillow takes (179
    million, against decompression bombs), and for samples without a known range (32 bits, floats).
    """
    try:
        encoded = source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        raise Refusal(f"{name} cannot be read ({error.strerror}): name a picture file") from None
    if not encoded:
        raise Refusal(f"{name} is empty: fetch or export it again")
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(encoded)) as image:
            deep = any(";16" in str(tile[3]) for tile in image.tile)  # how samples are stored
            image.load()  # Pillow warns from half that limit on, and of odd metadata
            pixels = _depth(image, name) if column == MILLIMETRES else _rgb(image, name)
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise Refusal(f"{name} has more than {most:,} pixels: cut it into pieces") from None
    except UnidentifiedImageError:
        raise Refusal(f"{name} is no picture of a known format: name another file, or export it as PNG") from None
    except BROKEN as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise Refusal(f"{name} does not decode ({reason[:200]}): export it again") from None
    if deep and pixels.dtype == np.uint8 and pixels.max() < 16:
        raise Refusal(f"{name} uses 12 bits or fewer of its 16, and would be black: export it with 8 bits")
    return pixels


def _rgb(image: Image.Image, name: str) -> Pixels:
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode in GREY16:
        grey = np.array(image).astype(np.uint16)
        used = next(bits for bits in DEPTHS if int(grey.max()) < 1 << bits)
        return np.repeat((grey >> used - 8).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in SEEN_THROUGH or (image.mode in ("1", "L", "P", "RGB") and "transparency" in image.info):
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    elif image.mode not in OPAQUE:
        raise Refusal(f"{name} has samples of mode {image.mode}, whose range is unknown: export it with 8 or 16 bits")
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, BAND):  # Pillow's own way from picture to array holds it three times
        band = image.crop((0, top, image.width, min(top + BAND, image.height)))
        pixels[top : top + BAND] = np.asarray(band.convert("RGB"))
    return pixels


def _depth(image: Image.Image, name: str) -> NDArray[np.uint16]:
    if image.mode not in GREY16:
        raise Refusal(f"{name} has mode {image.mode}, but a depth is 16-bit grey, in millimetres: export it as such")
    depth = np.array(image).astype(np.uint16)
    if not depth.all():
        raise Refusal(f"{name} has pixels of depth 0, which is no measurement: fill them in")
    return depth
