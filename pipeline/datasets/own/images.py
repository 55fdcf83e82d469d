"""Pictures that a person made: a photograph as RGB, its bytes kept where they are that; a label as class indices."""

from __future__ import annotations

import io
from itertools import chain
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from pipeline.core.png import png
from pipeline.core.types import Encoded, Refusal
from pipeline.datasets.own.coding import VOID, Coding, shown

KEPT = ("JPEG", "MPO", "PNG")
FORMATS = (*KEPT, "BMP", "TIFF", "WEBP")
MODES = ("RGB", "L", "1", "P", "RGBA", "LA", "PA", "CMYK")


def as_rgb(file: Encoded, label: Encoded, height: int, width: int) -> Encoded:
    """The image of a ``height`` × ``width`` label, decoded once and whole.

    Alpha is dropped. Where EXIF wants the image turned by 90°, the label's size tells whether it was drawn on the image
    as shown (which is then kept) or as stored; either way no orientation is left for a reader to apply.

    Raises Refusal for another format or mode, for a size that is not the label's, and for an orientation of which the
    sizes do not tell whether the label knows it.
    """
    image, orientation = decode(file)
    if image.format not in FORMATS or image.mode not in MODES:
        raise Refusal(f"{file.path} is {image.format} of mode {image.mode}: save it as JPEG or PNG of 8 bits a channel")
    ways = [image] if orientation == 1 else [image, ImageOps.exif_transpose(image)]
    fitting = [way for way in ways if (way.height, way.width) == (height, width)]
    if not fitting:
        sizes = f"{image.height}×{image.width} (height×width) but {label.path} is {height}×{width}"
        raise Refusal(f"{file.path} is {sizes}: an image and its label must be of one size")
    if len(fitting) > 1:
        raise Refusal(
            f"{file.path} has EXIF orientation {orientation}, and sizes do not tell whether the label was drawn "
            "on it turned: turn it for good (exiftran -ai), or clear the tag (exiftool -Orientation=1 -n)"
        )
    if len(ways) == 1 and image.mode == "RGB" and image.format in KEPT:
        return Encoded(bytes=file.bytes, path=PurePath(file.path).name)
    fitting[0].info.clear()  # a colour that the file calls transparent is a colour
    return Encoded(bytes=png(np.asarray(fitting[0].convert("RGB"))), path=f"{PurePath(file.path).stem}.png")


def decode(file: Encoded) -> tuple[Image.Image, int]:
    """The picture as stored, and its EXIF orientation (1 = as stored, also where it has none).

    Raises Refusal for what does not decode, for 16 bits a channel, for several pages, and for a TIFF with an
    orientation, which Pillow turns unasked.
    """
    try:
        image = Image.open(io.BytesIO(file.bytes))
        bits, pages = depth(image, file.bytes), getattr(image, "n_frames", 1)
        orientation = int(image.getexif().get(ExifTags.Base.Orientation, 1))
        image.load()
    except UnidentifiedImageError:
        raise Refusal(f"{file.path} is no image that Pillow can read: save it as PNG, or leave it out") from None
    except Image.DecompressionBombError as error:
        raise Refusal(f"{file.path} is too large ({error}): cut it into tiles") from None
    except Exception as error:  # a broken file makes Pillow raise nearly anything
        raise Refusal(f"{file.path} does not decode ({error}): save it again, or leave it out") from None
    if bits > 8:
        raise Refusal(f"{file.path} has {bits} bits a channel: save it with 8")
    if pages > 1 and image.format != "MPO":  # MPO: a phone's JPEG with a preview after it
        raise Refusal(f"{file.path} holds {pages} pages: save one of them in a file of its own")
    if image.format == "TIFF" and orientation != 1:
        raise Refusal(f"{file.path} has TIFF orientation {orientation}: save it upright")
    return image, orientation if 1 <= orientation <= 8 else 1


def depth(image: Image.Image, data: bytes) -> int:
    """Bits a channel as stored; Pillow opens 16-bit colour as if it had 8."""
    if image.format == "PNG":
        return data[24]  # its header chunk always comes first
    bits = image.getexif().get(ExifTags.Base.BitsPerSample, 8) if image.format == "TIFF" else 8
    return 16 if image.mode.startswith("I;16") else max(bits) if isinstance(bits, tuple) else int(bits)


NEAR = 40  # Euclidean distance in RGB within which a colour is taken for a known one that JPEG or blending has blurred

_SUITS = {"L": ("index",), "P": ("palette", "color"), "RGB": ("color",), "RGBA": ("color",)}


def as_indices(coding: Coding, file: Encoded) -> tuple[Encoded, int, int]:
    """The label as a palette PNG of class indices in the classes' colours, void being 255; its height and width.

    A PNG that is exactly that already keeps its bytes. Raises Refusal for another format or mode than the row's
    encoding says, for an unknown value or colour or a see-through pixel (naming the first), and for a label that is
    all void.
    """
    image = _opened(coding, file)
    stored = _stored(file, image)
    indices, strange = coding.classes(stored)
    if strange.any():
        row, column = np.unravel_index(int(strange.argmax()), strange.shape)
        raise _unknown(coding, file.path, int(stored[row, column]), int(row), int(column))
    if (indices == VOID).all():
        raise Refusal(f"{file.path} has no pixel of a class, all are void: leave it and its image out")
    if image.mode == "P" and coding.painted:
        _check_order(coding, file.path, image, np.unique(stored).tolist())
    height, width = indices.shape
    if image.mode == "P" and image.getpalette() == list(chain(*coding.palette)) and np.array_equal(indices, stored):
        return Encoded(bytes=file.bytes, path=PurePath(file.path).name), height, width
    return Encoded(bytes=png(indices, coding.palette), path=f"{PurePath(file.path).stem}.png"), height, width


def _opened(coding: Coding, file: Encoded) -> Image.Image:
    image, orientation = decode(file)
    if image.format != "PNG":
        blurs = "which blurs colours and values: export labels anew" if image.format in ("JPEG", "MPO") else "save it"
        raise Refusal(f"{file.path} is {image.format}, {blurs} as PNG")
    if orientation != 1:
        raise Refusal(f"{file.path} has EXIF orientation {orientation}: save the label upright, without it")
    if (bits := depth(image, file.bytes)) < 8 and image.mode != "P":
        raise Refusal(f"{file.path} has {bits} bits a pixel: save it with 8")
    suits = _SUITS.get(image.mode, ())
    if coding.encoding not in suits:
        remedy = f"set it to {' or '.join(suits)}" if suits else "save the label as 8-bit grey, palette or RGB PNG"
        raise Refusal(f"{file.path} is of mode {image.mode}, but {coding.name}.encoding is {coding.encoding}: {remedy}")
    if coding.encoding == "color":
        return image.convert("RGBA" if "transparency" in image.info else "RGB") if image.mode == "P" else image
    return image


def _stored(file: Encoded, image: Image.Image) -> NDArray[np.integer]:
    """H×W: values of 0–255, or colours packed as 0xrrggbb (uint32)."""
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == 4 and (clear := pixels[..., 3] != 255).any():
        row, column = np.unravel_index(int(clear.argmax()), clear.shape)
        raise Refusal(
            f"{file.path} has alpha {pixels[row, column, 3]} at row {row}, column {column}: "
            "a label is opaque, so paint what is see-through in a colour of its own"
        )
    red, green, blue = (pixels[..., channel].astype(np.uint32) for channel in range(3))
    return np.asarray(red << 16 | green << 8 | blue, np.uint32)


def _check_order(coding: Coding, path: str, image: Image.Image, present: list[int]) -> None:
    """Refuse indices whose colours say otherwise: programs that reduce colours number them anew in every file."""
    palette = bytes(image.getpalette() or ()).ljust(3 * 256, b"\0")
    painted = {value: tuple(palette[3 * value : 3 * value + 3]) for value in present}
    meanings = dict(coding.stored)
    for value in (value for value in present if meanings[value] != VOID):
        own = coding.label.palette[meanings[value]]
        if painted[value] != own and own in painted.values():
            raise Refusal(
                f"{path} shows index {value} in #{bytes(painted[value]).hex()} and another in #{bytes(own).hex()}, the "
                f"colour of {coding.label.classes[meanings[value]]}: set {coding.name}.encoding to color"
            )


def _unknown(coding: Coding, path: str, value: int, row: int, column: int) -> Refusal:
    """What to say of the first pixel whose value is neither a class's nor ignored."""
    by_color = coding.encoding == "color"
    found = f"{path} has {'colour' if by_color else 'value'} {shown(value, by_color)} at row {row}, column {column}"
    remedy = f"give it a class in {coding.name}.classes, or list it in {coding.name}.ignore"
    near = min((stored for stored, _ in coding.stored), key=lambda stored: _distance(stored, value))
    if by_color and _distance(near, value) <= NEAR:
        found += f", near {shown(near, True)}: the label was a JPEG once, or has soft edges"
        remedy = f"export it without loss, resized by nearest neighbour, or if it is meant, {remedy}"
    return Refusal(f"{found}: {remedy}")


def _distance(one: int, other: int) -> float:
    """Euclidean, in RGB."""
    return float(sum(((one >> shift & 255) - (other >> shift & 255)) ** 2 for shift in (16, 8, 0)) ** 0.5)
