"""A .caffemodel gives up its weights, in either of its layouts, or is refused."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from pipeline.caffe import caffemodel
from pipeline.core.types import Refusal

REAL = Path(__file__).parents[2].parent / "shared/real/bvlc_googlenet.caffemodel"


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def legacy_blob(array: np.ndarray) -> bytes:
    sizes = (1,) * (4 - array.ndim) + array.shape
    return b"".join(field(i, size) for i, size in enumerate(sizes, 1)) + field(5, array.astype("<f4").tobytes())


def blob(array: np.ndarray) -> bytes:
    return field(7, field(1, b"".join(map(varint, array.shape)))) + field(5, array.astype("<f4").tobytes())


def unpacked_blob(array: np.ndarray) -> bytes:
    """As a writer without [packed = true] leaves it: every dim and every number a field of its own."""
    numbers = b"".join(varint(5 << 3 | 5) + struct.pack("<f", value) for value in array.ravel())
    return field(7, b"".join(field(1, size) for size in array.shape)) + numbers


def double_blob(array: np.ndarray) -> bytes:
    return field(7, field(1, b"".join(map(varint, array.shape)))) + field(8, array.astype("<f8").tobytes())


def v1(name: str, *blobs: bytes) -> bytes:
    """V1LayerParameter in NetParameter.layers, with fields beside (bottom, top, type, rates) that do not matter."""
    beside = field(2, b"data") + field(3, b"top") + field(5, 4) + varint(7 << 3 | 5) + struct.pack("<f", 1.0)
    return field(2, beside + field(4, name.encode()) + b"".join(field(6, blob) for blob in blobs))


def current(name: str, *blobs: bytes) -> bytes:
    """LayerParameter in NetParameter.layer."""
    return field(100, field(1, name.encode()) + field(2, b"Convolution") + b"".join(field(7, blob) for blob in blobs))


WEIGHT = np.random.default_rng(0).standard_normal((4, 3, 5, 5)).astype(np.float32)
BIAS = np.arange(4, dtype=np.float32)


def written(path: Path, *messages: bytes) -> Path:
    path.write_bytes(field(1, b"a net") + b"".join(messages))
    return path


@pytest.mark.parametrize("layer", [v1, current])
@pytest.mark.parametrize("encode", [legacy_blob, blob, unpacked_blob, double_blob])
def test_reads_both_layouts_and_every_encoding(tmp_path: Path, layer, encode) -> None:  # type: ignore[no-untyped-def]
    empty = layer("data"), layer("relu1")
    path = written(tmp_path / "net", empty[0], layer("conv1/7x7_s2", encode(WEIGHT), encode(BIAS)), empty[1])
    layers = caffemodel.read(path)
    assert list(layers) == ["conv1.7x7_s2"]
    weight, bias = layers["conv1.7x7_s2"]
    assert weight.dtype == np.float32 and weight.flags.aligned and weight.shape == (4, 3, 5, 5)
    assert np.array_equal(weight, WEIGHT) and np.array_equal(bias.ravel(), BIAS)
    assert set(caffemodel.state(layers)) == {"conv1.7x7_s2.weight", "conv1.7x7_s2.bias"}


def test_writing_to_a_blob_leaves_the_file_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "net", current("fc8", blob(WEIGHT)))
    before = path.read_bytes()
    caffemodel.read(path)["fc8"][0][...] = 0
    assert path.read_bytes() == before


def test_refuses_every_file_cut_short(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole", v1("a", legacy_blob(BIAS)), current("b", blob(BIAS))).read_bytes()
    complete = (len(whole), len(field(1, b"a net") + v1("a", legacy_blob(BIAS))))  # the latter lacks only layer b
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
    for text in (b"", b"<html>404</html>", b"\xff" * 50, field(2, field(4, b"\xff\xfe") + field(6, legacy_blob(BIAS)))):
        (tmp_path / "text").write_bytes(text)
        with pytest.raises(Refusal, match="not a whole"):
            caffemodel.read(tmp_path / "text")
    wrong = field(7, field(1, varint(9))) + field(5, BIAS.tobytes())
    with pytest.raises(Refusal, match=r"4 numbers in a blob of shape \[9\]"):
        caffemodel.read(written(tmp_path / "shape", current("a", wrong)))
    with pytest.raises(Refusal, match="layer a twice"):
        caffemodel.read(written(tmp_path / "twice", current("a", blob(BIAS)), v1("a", blob(BIAS))))


def test_refuses_a_layer_that_no_net_here_has(tmp_path: Path) -> None:
    path = written(tmp_path / "net", current("batch_norm", blob(BIAS), blob(BIAS), blob(BIAS)))
    with pytest.raises(Refusal, match="batch_norm has 3 blobs"):
        caffemodel.state(caffemodel.read(path))


@pytest.mark.skipif(not REAL.exists(), reason=f"no {REAL}")
def test_reads_the_published_googlenet() -> None:
    layers = caffemodel.read(REAL)
    assert len(layers) == 58
    assert sum(blob.size for blobs in layers.values() for blob in blobs) == 6_998_552
    assert layers["loss3.classifier"][0].shape == (1, 1, 1000, 1024)
