"""Decode a file that a person made: 8 bits a channel, one page, and whole; what it says of its orientation is told."""

from __future__ import annotations

import io

from PIL import ExifTags, Image, UnidentifiedImageError

from pipeline.core.types import Encoded, Refusal


def decode(file: Encoded) -> tuple[Image.Image, int]:
    """The picture as stored, and its EXIF orientation (1 = as stored, also where it has none).

    Raises Refusal for what does not decode, for 16 bits a channel, for several pages, and for a TIFF with an
    orientation, which Pillow turns unasked.
    """
    try:
        image = Image.open(io.BytesIO(file.bytes))
        depth, pages = _depth(image, file.bytes), getattr(image, "n_frames", 1)
        orientation = int(image.getexif().get(ExifTags.Base.Orientation, 1))
        image.load()
    except UnidentifiedImageError:
        raise Refusal(f"{file.path} is no image that Pillow can read: save it as PNG, or leave it out") from None
    except Image.DecompressionBombError:
        raise Refusal(
            f"{file.path} has more than {2 * (Image.MAX_IMAGE_PIXELS or 0)} pixels: cut it into tiles"
        ) from None
    except Exception as error:  # a broken file makes Pillow raise nearly anything
        raise Refusal(f"{file.path} does not decode ({error}): save it again, or leave it out") from None
    if depth > 8:
        raise Refusal(f"{file.path} has {depth} bits a channel: save it with 8")
    if pages > 1 and image.format != "MPO":  # MPO: a phone's JPEG with a preview after it
        raise Refusal(f"{file.path} holds {pages} pages: save one of them in a file of its own")
    if not 1 <= orientation <= 8:
        orientation = 1
    if image.format == "TIFF" and orientation != 1:
        raise Refusal(f"{file.path} has TIFF orientation {orientation}: save it upright")
    return image, orientation


def png_depth(data: bytes) -> int:
    """Bits a channel of a PNG, whose header chunk always comes first."""
    return data[24]


def _depth(image: Image.Image, data: bytes) -> int:
    """Bits a channel as stored; Pillow opens 16-bit colour as if it had 8."""
    if image.format == "PNG":
        return png_depth(data)
    if image.format == "TIFF":
        bits = image.getexif().get(ExifTags.Base.BitsPerSample, 8)
        return max(bits) if isinstance(bits, tuple) else int(bits)
    return 16 if image.mode.startswith("I;16") else 8
