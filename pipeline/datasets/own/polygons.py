"""Objects as outlines or runs, in the JSON of COCO or labelme, become class indices; what none covers is class 0."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.core.types import Encoded, Refusal
from pipeline.datasets.own.coding import VOID, Coding

Mask = NDArray[np.bool_]
ODD = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)
"""What reading JSON of another form raises."""


LARGEST = 178_956_970  # pixels of the largest image that Pillow takes


def parsed(data: bytes, path: str) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:  # also of bytes that are no UTF-8
        raise Refusal(f"{path} is not JSON ({error}): export it again") from None


def drawn(coding: Coding, file: Encoded) -> NDArray[np.uint8]:
    """H×W class indices (255 = void) of a labelme file, or of the part of a COCO file that ``Listed.encoded`` gives.

    Objects lie over those before them in the file; COCO's crowds are void and lie under all. A pixel is an object's
    where its centre lies inside; coordinates are those of pixels' corners, so 0 is the left edge of the first.

    Raises Refusal naming the file and the object: a class that the row does not know, a shape that is not understood,
    one that lies outside the image.
    """
    document, place = parsed(file.bytes, file.path), "the file"
    by_coco = coding.encoding == "coco"
    try:
        keys = ("height", "width") if by_coco else ("imageHeight", "imageWidth")
        height, width = (int(document[key]) for key in keys)
        if height * width > LARGEST:
            raise _Odd(f"says that the image is {height}×{width} (height×width): correct it")
        label = np.zeros((height, width), np.uint8)
        for place, entry in _annotations(document) if by_coco else _shapes(document):
            name, pieces = _coco(*entry) if by_coco else _labelme(entry)
            meaning = VOID if name is None else coding.meaning(f"{file.path}: {place}", name)
            for kind, data in pieces:
                top, left, inside = _MASKS[kind](data, height, width)
                below, right = top + inside.shape[0], left + inside.shape[1]
                label[top:below, left:right][inside] = meaning
    except _Odd as odd:
        raise Refusal(f"{file.path}: {place} {odd}") from None
    except ODD as error:
        told = f"{type(error).__name__}: {error}"
        raise Refusal(f"{file.path}: {place} is not understood ({told}): export it again, with polygons") from None
    return label


class _Odd(Exception):
    """What is wrong with an object, without its place."""


Pieces = list[tuple[str, Any]]
"""What an object is drawn of: kinds, which are keys of ``_MASKS``, and their data."""


def _annotations(document: Any) -> Iterator[tuple[str, Any]]:
    entries = sorted(document["annotations"].items(), key=lambda item: not _is_crowd(item[1][1]))
    return ((f"annotations[{number}]", entry) for number, entry in entries)


def _coco(name: str, what: Mapping[str, Any]) -> tuple[str | None, Pieces]:
    parts = what.get("segmentation") or _nothing()
    pieces = [("runs", parts)] if isinstance(parts, dict) else [("polygon", part) for part in parts]
    return None if _is_crowd(what) else name, pieces


def _is_crowd(what: Mapping[str, Any]) -> bool:
    return bool(int(what.get("iscrowd") or 0))


def _nothing() -> Any:
    raise _Odd("has no outline, a box alone: draw one, or take it out")


def _shapes(document: Any) -> Iterator[tuple[str, Any]]:
    return ((f"shapes[{number}]", shape) for number, shape in enumerate(document["shapes"]))


def _labelme(shape: Mapping[str, Any]) -> tuple[str, Pieces]:
    return str(shape["label"]), [(shape.get("shape_type") or "polygon", shape["points"])]


Piece = tuple[int, int, Mask]
"""The first row and column of a box, and which of its pixels are meant."""


def _polygon(data: ArrayLike, height: int, width: int) -> Piece:
    """By the even-odd rule. Sums and products of float64 in NumPy's order: the same on every processor."""
    points = _checked(data, 3)
    top, left, bottom, right = _box(points, height, width)
    flips = np.zeros((bottom - top, right - left + 1), np.uint8)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, 0), strict=True):
        first, last = (min(max(int(np.ceil(y - 0.5)), top), bottom) for y in sorted((y0, y1)))
        if first < last:
            rows = np.arange(first, last)
            crossings = x0 + (rows + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
            columns = np.clip(np.ceil(crossings - 0.5), left, right).astype(np.int64)
            flips[rows - top, columns - left] ^= 1
    return top, left, np.bitwise_xor.accumulate(flips, 1)[:, :-1].astype(bool)


def _rectangle(data: ArrayLike, height: int, width: int) -> Piece:
    (x0, y0), (x1, y1) = _corners(_checked(data, 2))
    return _polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], height, width)


def _circle(data: ArrayLike, height: int, width: int) -> Piece:
    """Its centre and a point on it."""
    (x, y), edge = _checked(data, 2)[:2]
    radius = np.sqrt((edge[0] - x) ** 2 + (edge[1] - y) ** 2)
    top, left, bottom, right = _box(np.array([(x - radius, y - radius), (x + radius, y + radius)]), height, width)
    rows, columns = np.arange(top, bottom)[:, None] + 0.5, np.arange(left, right) + 0.5
    return top, left, (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def _runs(data: Mapping[str, Any], height: int, width: int) -> Piece:
    """COCO's run lengths, plain or compressed: pixels column by column, first those outside."""
    counts = _uncompressed(data["counts"]) if isinstance(data["counts"], str) else [int(one) for one in data["counts"]]
    if [*data["size"]] != [height, width]:
        raise _Odd(f"is of size {data['size']} (height, width) in an image of {[height, width]}: export both anew")
    if min(counts, default=0) < 0 or sum(counts) != height * width:
        raise _Odd(f"has runs of {sum(counts)} pixels, or one below 0, the image {height * width}: export it again")
    values = np.arange(len(counts)) % 2 == 1
    return 0, 0, np.repeat(values, counts).reshape(width, height).T


def _uncompressed(text: str) -> list[int]:
    """Five bits a character from 48 on, the lowest first, 32 for more, 16 in the last for the sign; from the third
    number on each is a difference to the last but one (pycocotools, rleFrString)."""
    counts: list[int] = []
    value = shift = 0
    for code in (ord(letter) - 48 for letter in text):
        value |= (code & 31) << shift
        shift += 5
        if not code & 32:
            value -= (code & 16) and 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    return counts


_MASKS: Mapping[str, Callable[[Any, int, int], Piece]] = {
    "polygon": _polygon,
    "rectangle": _rectangle,
    "circle": _circle,
    "runs": _runs,
}


def _checked(data: ArrayLike, least: int) -> NDArray[np.float64]:
    points = np.asarray(data, np.float64).reshape(-1, 2)
    if len(points) < least or not np.isfinite(points).all():
        raise _Odd(f"has {len(points)} points, or one that is no number: draw it again, or take it out")
    return points


def _corners(points: NDArray[np.float64]) -> list[list[float]]:
    return [points.min(0).tolist(), points.max(0).tolist()]


def _box(points: NDArray[np.float64], height: int, width: int) -> tuple[int, int, int, int]:
    """Top, left, bottom and right (half open) of what lies in the image."""
    (x0, y0), (x1, y1) = _corners(points)
    if x1 < 0 or y1 < 0 or x0 > width or y0 > height:
        shown = f"x {x0:g} to {x1:g}, y {y0:g} to {y1:g}"
        raise _Odd(f"lies outside the image ({shown}; it is {height}×{width}, height×width): was the image resized?")
    top, left = max(0, int(y0)), max(0, int(x0))
    return top, left, min(height, int(y1) + 1), min(width, int(x1) + 1)
