"""Read the weights of a .caffemodel without Caffe: protobuf's wire format, just the fields that matter.

Field numbers are those of BVLC/caffe ``src/caffe/proto/caffe.proto``.
"""

import mmap
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.types import Refusal

Array = npt.NDArray[np.float32]
Field = tuple[int, int, int | memoryview]  # number, wire type, value

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
LAYERS = {2: (4, 6), 100: (1, 7)}  # NetParameter.layers (V1) and .layer -> numbers of their name and blobs
NUM, WIDTH, DATA, SHAPE, DOUBLE_DATA = 1, 4, 5, 7, 8  # BlobProto; 1 to 4 are the legacy shape
FLOATS: dict[int, tuple[int, np.dtype[Any]]] = {
    DATA: (FIXED32, np.dtype("<f4")),
    DOUBLE_DATA: (FIXED64, np.dtype("<f8")),
}


def read(path: Path) -> dict[str, list[Array]]:
    """{layer: its blobs} of every layer with weights, in file order; '/' in a layer's name becomes '.'.

    Blobs keep the shape the file tells (legacy fully connected weights are 1×1×O×I); most lie in the mapped file, of
    which writing to them changes nothing. Raises Refusal for a file that is missing, cut short or not a caffemodel.
    """
    try:
        with path.open("rb") as file:
            view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        layers: dict[str, list[Array]] = {}
        for number, _, value in _fields(view):
            if number in LAYERS and isinstance(value, memoryview):
                name, blobs = _layer(value, *LAYERS[number])
                if blobs and layers.setdefault(name, blobs) is not blobs:
                    raise ValueError(f"layer {name} twice")
        if not layers:
            raise ValueError("no layer has weights")
    except FileNotFoundError:
        raise Refusal(f"no weights at {path}: download them first") from None
    except (ValueError, IndexError) as error:
        raise Refusal(f"{path} is not a whole .caffemodel ({error}): download it again") from None
    return layers


def state(layers: dict[str, list[Array]]) -> dict[str, Array]:
    """{layer.weight, layer.bias} as this house names tensors; Refusal for a layer with other blobs than those two."""
    tensors: dict[str, Array] = {}
    for name, blobs in layers.items():
        if len(blobs) > 2:
            raise Refusal(f"layer {name} has {len(blobs)} blobs, not a weight and a bias: no net here has such a layer")
        tensors.update(zip((f"{name}.weight", f"{name}.bias"), blobs, strict=False))
    return tensors


def _layer(message: memoryview, name_field: int, blobs_field: int) -> tuple[str, list[Array]]:
    name, blobs = "", []
    for number, _, value in _fields(message):
        if number == name_field and isinstance(value, memoryview):
            name = bytes(value).decode().replace("/", ".")
        elif number == blobs_field and isinstance(value, memoryview):
            blobs.append(_blob(value))
    return name, blobs


def _blob(message: memoryview) -> Array:
    legacy, shape, parts = [0, 0, 0, 0], None, []
    for number, wire, value in _fields(message):
        if number in FLOATS:
            single, dtype = FLOATS[number]
            if wire not in (BYTES, single) or not isinstance(value, memoryview):
                raise ValueError(f"numbers of wire type {wire}")
            # Packed numbers, or a lone one; copied only where they lie unaligned or are doubles
            parts.append(np.require(np.frombuffer(value, dtype), np.float32, "A"))
        elif number == SHAPE and isinstance(value, memoryview):
            shape = list(_dims(value))
        elif NUM <= number <= WIDTH and isinstance(value, int):
            legacy[number - NUM] = value
    data = parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.float32), *parts])
    shape = legacy if shape is None else shape
    if data.size != prod(shape):
        raise ValueError(f"{data.size} numbers in a blob of shape {shape}")
    return data.reshape(shape)


def _dims(message: memoryview) -> Iterator[int]:
    for number, _, value in _fields(message):
        if number == 1 and isinstance(value, int):
            yield value
        elif number == 1 and isinstance(value, memoryview):
            at = 0
            while at < len(value):
                dim, at = _varint(value, at)
                yield dim


def _fields(message: memoryview) -> Iterator[Field]:
    """A message's fields in order; ValueError or IndexError where it is cut short or no message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = _varint(message, at)
            yield number, wire, value
            continue
        if wire == BYTES:
            size, at = _varint(message, at)
        elif wire in (FIXED32, FIXED64):
            size = 4 if wire == FIXED32 else 8
        else:
            raise ValueError(f"wire type {wire}")
        if at + size > len(message):
            raise ValueError(f"a field of {size} bytes has only {len(message) - at}")
        yield number, wire, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than ten bytes")
