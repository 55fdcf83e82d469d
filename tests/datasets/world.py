"""A folder of tiny images and labels, and its row."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.core.types import Encoded

COLORS = np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255), (128, 128, 128)], np.uint8)
SCENE = np.array([[0, 0, 1, 3], [0, 2, 1, 3], [2, 2, 1, 3]], np.uint8)  # soil, leaf, stem; 3 is void


def row(place: Path, /, **changes: Any) -> dict[str, Any]:
    fields = {
        "root": str(place),
        "encoding": "color",
        "classes": ["soil=#000000", "leaf=#ff0000", "stem=#0000ff"],
        "ignore": ["edge=#808080"],
        "splits": ["train=0.5", "val=0.5"],
    }
    return {**fields, **changes}


def put(path: Path, pixels: np.ndarray | Image.Image, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path


def lay(root: Path, *names: str) -> None:
    """Pairs of 3×4 pixels, every one the same scene."""
    for name in names:
        put(root / f"images/{name}.png", np.full((3, 4, 3), 100, np.uint8))
        put(root / f"labels/{name}.png", COLORS[SCENE])


def encoded(path: Path) -> Encoded:
    return Encoded(bytes=path.read_bytes(), path=str(path))


def pixels(file: Encoded) -> np.ndarray:
    with Image.open(io.BytesIO(file.bytes)) as image:
        return np.array(image)


def raw_png(width: int, height: int, bits: int, kind: int, lines: bytes) -> bytes:
    """A PNG that Pillow cannot write, of color type ``kind``: 0 grey, 2 RGB; each line begins with a zero byte."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
