"""A .caffemodel gives up its weights, in either of its layouts, or is refused."""

import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from pipeline.caffe import caffemodel
from pipeline.core.types import Refusal

WEIGHT = np.random.default_rng(0).standard_normal((4, 3, 5, 5)).astype(np.float32)
BIAS = np.arange(4, dtype=np.float32)
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


LAYOUTS: dict[str, tuple[Callable[..., bytes], ...]] = {"V1": (v1, legacy), "V2": (v2, packed)}


def net(path: Path, *layers: bytes) -> Path:
    path.write_bytes(field(1, b"a net") + b"".join(layers))
    return path


def written(path: Path, blobs: Blobs, layout: str) -> Path:
    """A file of ``blobs`` by layer, as Caffe wrote it until 2015 (V1) or since (V2); a layer of data is without any."""
    layer, encode = LAYOUTS[layout]
    return net(path, layer("data"), *(layer(name, *map(encode, own)) for name, own in blobs.items()))


@pytest.mark.parametrize("layer", [v1, v2])
@pytest.mark.parametrize("encode", [legacy, packed, unpacked, doubles])
def test_reads_both_layouts_and_every_encoding(tmp_path: Path, layer, encode) -> None:  # type: ignore[no-untyped-def]
    empty = layer("data"), layer("relu1")
    path = net(tmp_path / "net", empty[0], layer("conv1/7x7_s2", encode(WEIGHT), encode(BIAS)), empty[1])
    layers = caffemodel.read(path)
    assert list(layers) == ["conv1.7x7_s2"]
    weight, bias = layers["conv1.7x7_s2"]
    assert weight.dtype == np.float32 and weight.flags.aligned and weight.shape == (4, 3, 5, 5)
    assert np.array_equal(weight, WEIGHT) and np.array_equal(bias.ravel(), BIAS)
    assert set(caffemodel.state(layers)) == {"conv1.7x7_s2.weight", "conv1.7x7_s2.bias"}


def test_refuses_every_file_cut_short(tmp_path: Path) -> None:
    whole = net(tmp_path / "whole", v1("a", legacy(BIAS)), v2("b", packed(BIAS))).read_bytes()
    complete = (len(whole), len(field(1, b"a net") + v1("a", legacy(BIAS))))  # the latter lacks only layer b
    for size in range(len(whole)):
        (tmp_path / "cut").write_bytes(whole[:size])
        if size not in complete:
            with pytest.raises(Refusal, match=r"not a whole \.caffemodel"):
                caffemodel.read(tmp_path / "cut")


def test_refuses_what_is_no_caffemodel(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="download them first"):
        caffemodel.read(tmp_path / "absent")
    noise = np.random.default_rng(1)
    for size in (1, 10, 1000, 100_000):
        (tmp_path / "noise").write_bytes(noise.bytes(size))
        with pytest.raises(Refusal, match="not a whole"):
            caffemodel.read(tmp_path / "noise")
    for text in (b"", b"<html>404</html>", b"\xff" * 50, field(2, field(4, b"\xff\xfe") + field(6, legacy(BIAS)))):
        (tmp_path / "text").write_bytes(text)
        with pytest.raises(Refusal, match="not a whole"):
            caffemodel.read(tmp_path / "text")
    wrong = field(7, field(1, varint(9))) + field(5, BIAS.tobytes())
    with pytest.raises(Refusal, match=r"4 numbers in a blob of shape \[9\]"):
        caffemodel.read(net(tmp_path / "shape", v2("a", wrong)))
    with pytest.raises(Refusal, match="layer a twice"):
        caffemodel.read(net(tmp_path / "twice", v2("a", packed(BIAS)), v1("a", packed(BIAS))))


def test_refuses_a_layer_that_no_net_here_has(tmp_path: Path) -> None:
    path = net(tmp_path / "net", v2("batch_norm", packed(BIAS), packed(BIAS), packed(BIAS)))
    with pytest.raises(Refusal, match="batch_norm has 3 blobs"):
        caffemodel.state(caffemodel.read(path))
