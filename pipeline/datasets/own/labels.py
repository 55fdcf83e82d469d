"""Labels that a person made, as pictures or as outlines, become palette PNGs of class indices."""

from collections.abc import Mapping
from itertools import chain
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.core.png import png
from pipeline.core.types import Encoded, Refusal
from pipeline.datasets.own.coding import BY_NAME, VOID, Coding, shown
from pipeline.datasets.own.images import decode, depth
from pipeline.datasets.own.polygons import drawn

NEAR = 40  # Euclidean distance in RGB within which a colour is taken for a known one that JPEG or blending has blurred

_GREY = ("index", "masks")
_SUITS = {
    **dict.fromkeys(("L", "1", "I;16"), _GREY),
    "P": ("palette", "color", "masks"),
    "RGB": ("color", "masks"),
    "RGBA": ("color",),
}


def as_indices(coding: Coding, files: Mapping[str, Encoded]) -> tuple[Encoded, int, int]:
    """The label as a palette PNG of class indices in the classes' colours, void being 255; its height and width.

    ``files`` holds the label's file under "", or by the classes' names with encoding masks. A PNG that is exactly that
    already keeps its bytes. Raises Refusal for another format or mode than the row's encoding says, for an unknown
    value, colour or name or a see-through pixel (naming the first), and for a label that is all void.
    """
    file = next(iter(files.values()))
    if coding.encoding not in BY_NAME:
        return _of_pixels(coding, file)
    indices = _of_masks(coding, files) if coding.encoding == "masks" else drawn(coding, file)
    _check_any(file, indices)
    return Encoded(bytes=png(indices, coding.palette), path=""), *indices.shape


def _check_any(file: Encoded, indices: NDArray[np.uint8]) -> None:
    if (indices == VOID).all():
        raise Refusal(f"{file.path} has no pixel of a class, all are void: leave it and its image out")


def _of_masks(coding: Coding, files: Mapping[str, Encoded]) -> NDArray[np.uint8]:
    """Later classes of the row lie over earlier ones, what is ignored over all; what no mask covers is class 0."""
    names, label = sorted(files, key=coding.named.__getitem__), None
    for name in names:
        mask = np.asarray(_opened(coding, files[name]))
        mask = mask.max(2) if mask.ndim == 3 else mask
        if label is None:
            label = np.zeros(mask.shape, np.uint8)
        if mask.shape != label.shape:
            one, other = ("×".join(map(str, each.shape)) for each in (mask, label))
            sizes = f"{one} (height×width) but {files[names[0]].path} is {other}"
            raise Refusal(f"{files[name].path} is {sizes}: the masks of an image are of one size")
        values = mask[mask != 0]
        if values.size and values.min() != values.max():
            row, column = np.argwhere(mask == values.min())[0]
            what = f"value {values.min()} at row {row}, column {column}, and {values.max()} elsewhere"
            raise Refusal(
                f"{files[name].path} has {what}: a mask has 0 and one other value, save it without soft edges"
            )
        label[mask != 0] = coding.named[name]
    assert label is not None
    return label


def _of_pixels(coding: Coding, file: Encoded) -> tuple[Encoded, int, int]:
    image = _opened(coding, file)
    stored = _stored(file, image)
    indices, strange = coding.classes(stored)
    if strange.any():
        row, column = np.unravel_index(int(strange.argmax()), strange.shape)
        raise _unknown(coding, file.path, int(stored[row, column]), int(row), int(column))
    _check_any(file, indices)
    if image.mode == "P" and coding.painted:
        _check_order(coding, file.path, image, np.unique(stored).tolist())
    height, width = indices.shape
    if image.mode == "P" and image.getpalette() == list(chain(*coding.palette)) and np.array_equal(indices, stored):
        return Encoded(bytes=file.bytes, path=PurePath(file.path).name), height, width
    return Encoded(bytes=png(indices, coding.palette), path=f"{PurePath(file.path).stem}.png"), height, width


def _opened(coding: Coding, file: Encoded) -> Image.Image:
    image, orientation = decode(file, 16 if coding.encoding in _GREY else 8)
    if image.format != "PNG":
        blurs = "which blurs colours and values: export labels anew" if image.format in ("JPEG", "MPO") else "save it"
        raise Refusal(f"{file.path} is {image.format}, {blurs} as PNG")
    if orientation != 1:
        raise Refusal(f"{file.path} has EXIF orientation {orientation}: save the label upright, without it")
    if (bits := depth(image, file.bytes)) > 8 and image.mode != "I;16":  # of which Pillow drops the lower bits
        raise Refusal(f"{file.path} has {bits} bits a channel: save it with 8")
    suits = _SUITS.get(image.mode, ())
    if coding.encoding not in suits:
        remedy = f"set it to {' or '.join(suits)}" if suits else "save the label as grey, palette or 8-bit RGB PNG"
        remedy = "save the mask as grey PNG" if coding.encoding == "masks" else remedy
        raise Refusal(f"{file.path} is of mode {image.mode}, but {coding.name}.encoding is {coding.encoding}: {remedy}")
    if coding.encoding == "color":
        return image.convert("RGBA" if "transparency" in image.info else "RGB") if image.mode == "P" else image
    return image


def _stored(file: Encoded, image: Image.Image) -> NDArray[np.integer]:
    """H×W: values of 0–65535 as the file has them, or colours packed as 0xrrggbb (uint32)."""
    pixels = np.asarray(image)
    if image.mode == "1":
        return pixels.astype(np.uint8)
    if pixels.ndim == 2:  # Pillow spreads 2 and 4 bits of grey over 0–255
        return (
            pixels // (255 // (2**bits - 1)) if (bits := depth(image, file.bytes)) < 8 and image.mode == "L" else pixels
        )
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
