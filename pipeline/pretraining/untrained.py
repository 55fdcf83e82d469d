"""Random weights in the file that Caffe's model zoo publishes a classifier in: its layout, layers, sizes, no skill.

A rehearsal at full width reads what the paper's scale downloads. V1LayerParameter and BlobProto are those of
BVLC/caffe ``src/caffe/proto/caffe.proto``, as ``pipeline/caffe/caffemodel.py`` reads them.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.backbones.shared.random_start import random_start
from pipeline.core import files, plugins
from pipeline.pretraining.imagenet import MEAN
from pipeline.spec import NetSpec

FILE = "random.caffemodel"
CLASSES = 1000  # ImageNet's
LAST_STD = 0.01  # of the last layer's first weights
LAYERS, NAME, BLOBS, DATA = 2, 4, 6, 5  # NetParameter.layers (V1), its name and blobs, a blob's numbers
# bvlc_googlenet's file holds the heads that only its training used, by their inputs' channels
AUXILIARY = {"googlenet": {"loss1": 512, "loss2": 528}}


def write(key: str, spec: NetSpec, generator: torch.Generator, out: Path) -> None:
    """Write ``out/random.caffemodel``, legacy layout, and ``out/manifest.json``; the means are Caffe's."""
    backbone = plugins.load("backbones", key)
    net = backbone.Classifier(spec, CLASSES)
    random_start(net, spec, generator)
    torch.nn.init.normal_(net.get_parameter(f"{backbone.LAST}.weight"), std=LAST_STD, generator=generator)
    tensors = dict(net.state_dict())
    for head, channels in AUXILIARY.get(key, {}).items():
        shapes = {"conv": (128, channels, 1, 1), "fc": (1024, 2048), "classifier": (CLASSES, 1024)}
        for layer, shape in shapes.items():
            tensors[f"{head}.{layer}.weight"] = torch.randn(shape, generator=generator) * LAST_STD
            tensors[f"{head}.{layer}.bias"] = torch.zeros(shape[0])
    layers: dict[str, list[Tensor]] = {}
    for name, tensor in tensors.items():
        layers.setdefault(name.rpartition(".")[0].replace(".", "/"), []).append(tensor)
    manifest = {
        "file": FILE,
        "format": "caffe",
        "order": "BGR",
        "range": 255,
        "mean": list(MEAN[::-1]),
        "std": [1.0, 1.0, 1.0],
        "crop": spec.crop,
        "width": spec.width,
        "source": "random",
        "licence": "Apache-2.0",
    }
    with files.replacing(out) as scratch:
        scratch.mkdir()
        with (scratch / FILE).open("wb") as file:
            for name, blobs in layers.items():
                file.writelines(_layer(name, blobs))
        files.write_json(scratch / "manifest.json", manifest)


def _layer(name: str, blobs: list[Tensor]) -> Iterator[bytes | memoryview]:
    """A layer in pieces, for fc6 alone has 411 MB."""
    title = _field(NAME, len(name)) + name.encode()
    sizes = [b"".join(map(_number, range(1, 5), (1,) * (4 - blob.ndim) + blob.shape)) for blob in blobs]
    data = [_field(DATA, 4 * blob.numel()) for blob in blobs]
    heads = [
        _field(BLOBS, len(size) + len(head) + 4 * blob.numel()) + size + head
        for size, head, blob in zip(sizes, data, blobs, strict=True)
    ]
    yield _field(LAYERS, len(title) + sum(map(len, heads)) + 4 * sum(map(torch.numel, blobs))) + title
    for head, blob in zip(heads, blobs, strict=True):
        yield head
        yield blob.contiguous().numpy().view(np.uint8).data


def _field(number: int, length: int) -> bytes:
    """What begins a field of so many bytes."""
    return _varint(number << 3 | 2) + _varint(length)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + _varint(value >> 7)
