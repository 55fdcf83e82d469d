"""Pictures that a person made: a photograph as RGB, its bytes kept where they are that."""

import io
from pathlib import PurePath

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from pipeline.core.png import png
from pipeline.core.types import Encoded, Refusal

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


def decode(file: Encoded, most: int = 8) -> tuple[Image.Image, int]:
    """The picture as stored, and its EXIF orientation (1 = as stored, also where it has none).

    Raises Refusal for what does not decode, for more than ``most`` bits a channel, for several pages, and for a TIFF
    with an orientation, which Pillow turns unasked.
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
    if bits > most:
        raise Refusal(f"{file.path} has {bits} bits a channel: save it with {most}")
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
