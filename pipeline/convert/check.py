"""Decode a sample once before it is kept: sizes, channels and label values, and its pixels counted by class."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.core.types import DatasetSpec, Encoded, LabelSpec, Refusal, Sample

LN = 10_000


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A sample that decodes.

    ``pixels`` holds per head the counts of each class, then of void; ``moments`` per image column the number of pixels,
    then each channel's sum, then each channel's sum of squares (of a depth: of ln(mm) in parts of 1/``LN``).
    """

    sample: Sample
    pixels: Mapping[str, tuple[int, ...]]
    moments: Mapping[str, tuple[int, ...]]
    digest: bytes


def checked(spec: DatasetSpec, sample: Sample) -> Checked:
    """Decode all of ``sample``; Refusal naming the file where it breaks ``spec`` or its own size."""
    moments = {
        column: _moments(_decoded(sample, sample.images[column], modes=(spec.mode(column),))) for column in spec.images
    }
    pixels = {
        head: _counts(sample.labels[head].path, label, _decoded(sample, sample.labels[head], modes=("P", "L")))
        for head, label in spec.labels.items()
    }
    return Checked(sample=sample, pixels=pixels, moments=moments, digest=_digest(spec, sample))


def _decoded(sample: Sample, encoded: Encoded, modes: tuple[str, ...]) -> NDArray[Any]:
    try:
        with Image.open(io.BytesIO(encoded.bytes)) as image:
            mode, pixels = image.mode, np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for broken bytes
        raise Refusal(f"{encoded.path} of {sample.id} does not decode ({error}): fetch its archive again") from None
    if mode not in modes:
        raise Refusal(
            f"{encoded.path} has mode {mode}, expected {' or '.join(modes)}: convert the file or leave it out"
        )
    height, width = pixels.shape[:2]
    if (height, width) != (sample.height, sample.width):
        raise Refusal(
            f"{encoded.path} is {height}×{width} (height×width) but {sample.id} is {sample.height}×{sample.width}: "
            "an image and its label must be of one size"
        )
    return pixels


def _moments(image: NDArray[Any]) -> tuple[int, ...]:
    """Whole numbers, exact in any order, from each channel's histogram: in a third of the time of sums.

    Millimetres count as nets see them: ln(mm), in ``LN`` parts.
    """
    pixels = image.reshape(image.shape[0] * image.shape[1], -1)
    values = np.arange(256) if image.dtype == np.uint8 else _logarithms()
    counts = np.stack([np.bincount(channel, minlength=len(values)) for channel in pixels.T])
    return (len(pixels), *map(int, counts @ values), *map(int, counts @ values**2))


@cache
def _logarithms() -> NDArray[np.int64]:
    """ln in ``LN`` parts of 0 (as of 1) to 65535. Our own series: NumPy's logarithm differs between processors."""
    mantissa, exponent = np.frexp(np.maximum(np.arange(65536.0), 1))
    ratio = (mantissa - 1) / (mantissa + 1)
    series = np.zeros(65536)
    for odd in range(41, 0, -2):
        series = series * (ratio * ratio) + 1 / odd
    values = np.rint(LN * (exponent * 0.6931471805599453 + 2 * ratio * series))
    return np.asarray(values, np.int64)


def _counts(path: str, label: LabelSpec, indices: NDArray[np.uint8]) -> tuple[int, ...]:
    """Pixels of each class and, last, of the ignore label; Refusal for any other value."""
    counts = np.bincount(indices.ravel(), minlength=256)
    known = np.zeros(256, dtype=bool)
    known[: len(label.classes)] = True
    known[label.ignore_label] = True
    if counts[~known].any():
        row, column = np.unravel_index(int(np.argmax(~known[indices])), indices.shape)
        raise Refusal(
            f"{path} has label {indices[row, column]} at row {row}, column {column}: "
            f"classes are 0–{len(label.classes) - 1} and void is {label.ignore_label}; fix the label or the classes"
        )
    return (*counts[: len(label.classes)].tolist(), int(counts[label.ignore_label]))


def _digest(spec: DatasetSpec, sample: Sample) -> bytes:
    """sha256 over the id and each column's sha256: what the row is, however Parquet packs it."""
    row = hashlib.sha256(sample.id.encode())
    encoded = {**sample.images, **sample.labels}
    for column in (*spec.images, *spec.labels):
        row.update(hashlib.sha256(encoded[column].bytes).digest())
    return row.digest()
