"""Writes .caffemodel files as Caffe does: protobuf's wire format, in both layouts, and every way to write numbers."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

Blobs = Mapping[str, list[np.ndarray]]


def varint(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def packed(array: np.ndarray) -> bytes:
    return field(7, field(1, b"".join(map(varint, array.shape)))) + field(5, array.astype("<f4").tobytes())


def legacy(array: np.ndarray) -> bytes:
    """Four sizes, the leading ones 1."""
    sizes = (1,) * (4 - array.ndim) + array.shape
    return b"".join(field(i, size) for i, size in enumerate(sizes, 1)) + field(5, array.astype("<f4").tobytes())


def unpacked(array: np.ndarray) -> bytes:
    """As a writer without [packed = true] leaves it: every dim and every number a field of its own."""
    numbers = b"".join(varint(5 << 3 | 5) + struct.pack("<f", value) for value in array.ravel())
    return field(7, b"".join(field(1, size) for size in array.shape)) + numbers


def doubles(array: np.ndarray) -> bytes:
    return field(7, field(1, b"".join(map(varint, array.shape)))) + field(8, array.astype("<f8").tobytes())


def v1(name: str, *blobs: bytes) -> bytes:
    """V1LayerParameter in NetParameter.layers, with fields beside (bottom, top, type, rates) that do not matter."""
    beside = field(2, b"data") + field(3, b"top") + field(5, 4) + varint(7 << 3 | 5) + struct.pack("<f", 1.0)
    return field(2, beside + field(4, name.encode()) + b"".join(field(6, blob) for blob in blobs))


def v2(name: str, *blobs: bytes) -> bytes:
    """LayerParameter in NetParameter.layer."""
    return field(100, field(1, name.encode()) + field(2, b"Convolution") + b"".join(field(7, blob) for blob in blobs))


LAYOUTS: dict[str, tuple[Callable[..., bytes], ...]] = {
    "V1": (v1, legacy),
    "V2": (v2, packed),
}


def net(path: Path, *layers: bytes) -> Path:
    path.write_bytes(field(1, b"a net") + b"".join(layers))
    return path


def written(path: Path, blobs: Blobs, layout: str) -> Path:
    """A file of ``blobs`` by layer, as Caffe wrote it until 2015 (V1) or since (V2); a layer of data is without any."""
    layer, encode = LAYOUTS[layout]
    return net(path, layer("data"), *(layer(name, *map(encode, own)) for name, own in blobs.items()))
