"""A label that a person made, as class indices: grey values, palette indices or colours, each looked up."""

from __future__ import annotations

import io
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.core.types import Encoded, Refusal
from pipeline.datasets.own import picture
from pipeline.datasets.own.coding import VOID, Coding, shown

NEAR = 40  # Euclidean distance in RGB within which a colour is taken for a known one that JPEG or blending has blurred

_SUITS = {"L": ("index",), "P": ("palette", "color"), "RGB": ("color",), "RGBA": ("color",)}
_CALLED = {"L": "grey", "P": "a palette image"}


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
    if image.mode == "P" and bytes(image.getpalette() or ()) == coding.palette and np.array_equal(indices, stored):
        return Encoded(bytes=file.bytes, path=PurePath(file.path).name), height, width
    return Encoded(bytes=_png(coding, indices), path=f"{PurePath(file.path).stem}.png"), height, width


def _opened(coding: Coding, file: Encoded) -> Image.Image:
    image, orientation = picture.decode(file)
    if image.format != "PNG":
        blurs = "which blurs colours and values: export labels anew" if image.format in ("JPEG", "MPO") else "save it"
        raise Refusal(f"{file.path} is {image.format}, {blurs} as PNG")
    if orientation != 1:
        raise Refusal(f"{file.path} has EXIF orientation {orientation}: save the label upright, without it")
    depth = picture.png_depth(file.bytes)
    if depth < 8 and image.mode != "P":
        raise Refusal(f"{file.path} has {depth} bits a pixel: save it with 8")
    suits = _SUITS.get(image.mode, ())
    if coding.encoding not in suits:
        called = _CALLED.get(image.mode, image.mode)
        remedy = f"set it to {' or '.join(suits)}" if suits else "save the label as 8-bit grey, palette or RGB PNG"
        raise Refusal(f"{file.path} is {called}, but {coding.name}.encoding is {coding.encoding}: {remedy}")
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
    known = {stored: coding.label.classes[meaning] if meaning != VOID else "void" for stored, meaning in coding.stored}
    if not by_color:
        hint = "" if value != 255 else f"; if it is void, list 255 in {coding.name}.ignore, if a class, write name=255"
        return Refusal(f"{found}, but known are {_spans(known)}: correct the label or {coding.name}.classes{hint}")
    nearest = min(known, key=lambda stored: (_distance(stored, value), stored))
    if _distance(nearest, value) <= NEAR:
        owner = known[nearest]
        meant = "list it as ignored" if owner == "void" else f"add |{shown(value, True)} to {owner}"
        return Refusal(
            f"{found}, near {owner}'s {shown(nearest, True)}: if it is meant, {meant}; if not, the label was a "
            "JPEG once, or was resized or drawn with soft edges: export it without loss, resized by nearest neighbour"
        )
    return Refusal(f"{found}: give it a class in {coding.name}.classes, or list it in {coding.name}.ignore")


def _distance(one: int, other: int) -> float:
    """Euclidean, in RGB."""
    return float(sum(((one >> shift & 255) - (other >> shift & 255)) ** 2 for shift in (16, 8, 0)) ** 0.5)


def _spans(values: dict[int, str]) -> str:
    """Sorted whole numbers, runs of them shortened: 0–3, 7, 255."""
    spans: list[list[int]] = []
    for value in values:
        if spans and value == spans[-1][-1] + 1:
            spans[-1].append(value)
        else:
            spans.append([value])
    return ", ".join(f"{span[0]}–{span[-1]}" if span[1:] else str(span[0]) for span in spans)


def _png(coding: Coding, indices: NDArray[np.uint8]) -> bytes:
    image = Image.fromarray(indices)
    image.putpalette(coding.palette)
    encoded = io.BytesIO()
    image.save(encoded, "PNG", compress_level=6)
    return encoded.getvalue()
