"""A photograph as the pipeline keeps it: RGB JPEG and PNG as they are, anything else as an RGB PNG."""

from __future__ import annotations

import io
from pathlib import PurePath

from PIL import Image

from pipeline.core.types import Encoded, Refusal
from pipeline.datasets.own import picture

FORMATS = ("JPEG", "MPO", "PNG", "BMP", "TIFF", "WEBP")
KEPT = ("JPEG", "MPO", "PNG")
MODES = ("RGB", "L", "1", "P", "RGBA", "LA", "PA", "CMYK")

_UPRIGHT = {  # EXIF orientations that exchange height and width, and what shows them upright
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def as_rgb(file: Encoded, label: Encoded, height: int, width: int) -> Encoded:
    """The image of a ``height`` × ``width`` label, decoded once and whole.

    Alpha is dropped. Where EXIF wants the image turned by 90°, the label's size tells whether it was drawn on the image
    as shown (which is then kept) or as stored; either way no orientation is left for a reader to apply.

    Raises Refusal for another format or mode, for a size that is not the label's, and for an orientation of which the
    sizes do not tell whether the label knows it.
    """
    image, orientation = picture.decode(file)
    if image.format not in FORMATS or image.mode not in MODES:
        raise Refusal(f"{file.path} is {image.format} of mode {image.mode}: save it as JPEG or PNG of 8 bits a channel")
    if (image.height, image.width) == (height, width) and orientation == 1:
        if image.mode == "RGB" and image.format in KEPT:
            return Encoded(bytes=file.bytes, path=PurePath(file.path).name)
        return _png(file, image)
    if orientation in _UPRIGHT and image.height != image.width:
        if (image.height, image.width) == (height, width):
            return _png(file, image)
        if (image.width, image.height) == (height, width):
            return _png(file, image.transpose(_UPRIGHT[orientation]))
    if {image.height, image.width} == {height, width} and orientation != 1:
        raise Refusal(
            f"{file.path} has EXIF orientation {orientation}, and sizes do not tell whether the label was drawn "
            "on it turned: turn it for good (exiftran -ai), or clear the tag (exiftool -Orientation=1 -n)"
        )
    raise Refusal(
        f"{file.path} is {image.height}×{image.width} (height×width) but {label.path} is {height}×{width}: "
        "an image and its label must be of one size"
    )


def _png(file: Encoded, image: Image.Image) -> Encoded:
    """As RGB without metadata; a colour that the file calls transparent is a colour."""
    image.info.clear()
    encoded = io.BytesIO()
    image.convert("RGB").save(encoded, "PNG", compress_level=6)
    return Encoded(bytes=encoded.getvalue(), path=f"{PurePath(file.path).stem}.png")
