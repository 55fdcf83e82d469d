"""JPEGs come out as Pillow has them, by the faster library where it is there, and whatever it warns of by Pillow."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from pipeline.shards import reader


def photograph(height: int, width: int) -> Image.Image:
    """Smooth and grainy, so that neither upsampling nor rounding goes unseen."""
    rows, columns = np.mgrid[:height, :width]
    smooth = np.stack([rows * 3 % 256, columns * 2 % 256, (rows + columns) % 256], axis=-1)
    grain = np.random.default_rng(height).integers(-20, 20, smooth.shape)
    return Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    image.save(into := io.BytesIO(), format=kind, **options)
    return into.getvalue()


def pillows(file: bytes, mode: str = "RGB") -> Any:
    with Image.open(io.BytesIO(file)) as image:
        return np.array(image.convert(mode))


@pytest.mark.parametrize("options", [{"subsampling": 2}, {"subsampling": 0}, {"progressive": True}, {"quality": 20}])
@pytest.mark.parametrize(("height", "width"), [(37, 50), (1, 9), (64, 63)])
def test_a_jpeg_has_pillows_pixels_without_pillow(
    height: int, width: int, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = encoded(photograph(height, width), **options)
    want = pillows(file)
    with monkeypatch.context() as without:
        without.setattr(Image, "open", None)
        found = reader.decode_image(pa.py_buffer(file), "RGB")
    monkeypatch.setattr(reader, "decode_jpeg", None)  # as where it is not installed
    assert np.array_equal(found, want) and np.array_equal(reader.decode_image(pa.py_buffer(file), "RGB"), want)
    assert found.dtype == np.uint8 and found.flags.writeable and found.flags.c_contiguous


def test_pillow_has_the_last_word_on_what_the_faster_library_warns_of() -> None:
    file = encoded(photograph(37, 50))
    end = 4 + int.from_bytes(file[4:6], "big")  # of the first segment
    strange = file[:end] + b"\0\0\0" + file[end:]  # libjpeg: extraneous bytes before a marker
    with pytest.raises(ValueError, match="xtraneous"):
        reader.decode_jpeg(strange, "RGB")
    assert np.array_equal(reader.decode_image(pa.py_buffer(strange), "RGB"), pillows(strange))
    with pytest.raises(OSError, match="truncated"):
        reader.decode_image(pa.py_buffer(file[: len(file) * 3 // 4]), "RGB")


@pytest.mark.parametrize(("mode", "kind"), [("RGB", "PNG"), ("L", "PNG"), ("L", "JPEG"), ("I;16", "PNG")])
def test_everything_else_is_pillows(mode: str, kind: str) -> None:
    image = photograph(20, 30).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(257 * np.asarray(image).astype(np.uint16))
    file = encoded(image, kind)
    found = reader.decode_image(pa.py_buffer(file), mode)
    assert np.array_equal(found, np.asarray(Image.open(io.BytesIO(file))))
    assert found.dtype == (np.uint16 if mode == "I;16" else np.uint8)
