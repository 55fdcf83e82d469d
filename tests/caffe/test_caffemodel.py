"""A .caffemodel gives up its weights, in either of its layouts, or is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.caffe import caffemodel
from pipeline.core.types import Refusal
from tests.caffe.caffemodels import doubles, field, legacy, net, packed, unpacked, v1, v2, varint

REAL = Path(__file__).parents[2].parent / "shared/real/bvlc_googlenet.caffemodel"


WEIGHT = np.random.default_rng(0).standard_normal((4, 3, 5, 5)).astype(np.float32)
BIAS = np.arange(4, dtype=np.float32)


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


def test_writing_to_a_blob_leaves_the_file_alone(tmp_path: Path) -> None:
    path = net(tmp_path / "net", v2("fc8", packed(WEIGHT)))
    before = path.read_bytes()
    caffemodel.read(path)["fc8"][0][...] = 0
    assert path.read_bytes() == before


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


@pytest.mark.skipif(not REAL.exists(), reason=f"no {REAL}")
def test_reads_the_published_googlenet() -> None:
    layers = caffemodel.read(REAL)
    assert len(layers) == 58
    assert sum(blob.size for blobs in layers.values() for blob in blobs) == 6_998_552
    assert layers["loss3.classifier"][0].shape == (1, 1, 1000, 1024)
