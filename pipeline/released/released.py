"""The authors' released nets without Caffe: a .caffemodel whose every blob finds its place in a net of ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from pipeline.caffe import caffemodel
from pipeline.caffe.caffemodel import Array
from pipeline.core import files, plugins
from pipeline.core.types import Refusal
from pipeline.released.blobs import Address, Fixed, Weight, places
from pipeline.spec import NetSpec
from pipeline.weights import checkpoint

TOLERANCE = 1e-6  # of a fixed blob's largest number: float32 rounds by a tenth of that
OTHER = "the weights are another net's: name that net"


@dataclass(frozen=True, kw_only=True)
class Released:
    """One net of shelhamer/fcn.berkeleyvision.org; classes and mean are the dataset's, as published."""

    dataset: str
    backbone: str = "vgg16"
    inputs: tuple[str, ...] = ("color",)
    streams: Literal["early", "late"] = "early"
    stride: int = 32
    skip_scales: tuple[float, ...] = ()
    upsampling: Literal["fixed", "learned"] = "fixed"


RELEASED = {
    "voc-fcn32s": Released(dataset="voc"),
    "voc-fcn16s": Released(dataset="voc", stride=16),
    "voc-fcn8s": Released(dataset="voc", stride=8),
    "voc-fcn8s-atonce": Released(dataset="voc", stride=8, skip_scales=(0.01, 0.0001)),
    "voc-fcn-alexnet": Released(dataset="voc", backbone="alexnet"),
    "nyud-fcn32s-color": Released(dataset="nyud"),
    "nyud-fcn32s-color-d": Released(dataset="nyud", inputs=("color", "depth")),  # its weights were never published
    "nyud-fcn32s-hha": Released(dataset="nyud", inputs=("hha",)),
    "nyud-fcn32s-color-hha": Released(dataset="nyud", inputs=("color", "hha"), streams="late"),
    "siftflow-fcn32s": Released(dataset="siftflow"),
    "siftflow-fcn16s": Released(dataset="siftflow", stride=16),
    "siftflow-fcn8s": Released(dataset="siftflow", stride=8),
}


def import_released(key: str, path: Path, name: str, out: Path) -> None:
    """Write ``out``/model.safetensors from the caffemodel at ``path`` of the authors' net ``name``.

    Beside it import.json tells of every blob its layer, number, shape and fate. Raises Refusal for a net they have not
    released, and as ``read`` does; nothing is written then.
    """
    if not path.is_file():
        raise Refusal(f"imports.{key}.file is {path}, which is no file: download it first")
    if name not in RELEASED:
        raise Refusal(f"imports.{key}.net.name is {name!r}: the authors' nets are {', '.join(RELEASED)}")
    net = spec(RELEASED[name])
    tensors, report = _accounted(path, net)
    checkpoint.save(out / "model.safetensors", tensors, net)
    facts = {
        "net": name,
        "file": path.name,
        "sha256": files.sha256(path),
        "parameters": sum(tensor.numel() for tensor in tensors.values()),
        "spec": {**net.to_json(), "heads": {head: len(label.classes) for head, label in net.heads.items()}},
    }
    files.write_json(out / "import.json", {**facts, "blobs": report})


def spec(net: Released) -> NetSpec:
    """``net`` at full width as the authors fed it: 100 pixels around the image, their dataset's mean subtracted."""
    dataset = plugins.load("datasets", net.dataset).SPEC
    return NetSpec(
        backbone=net.backbone,
        width=1.0,
        crop=224,
        padding=100,
        mean=tuple(value for column in net.inputs for value in dataset.mean[column]),
        inputs=net.inputs,
        streams=net.streams,
        stride=net.stride,
        skip_scales=net.skip_scales,
        upsampling=net.upsampling,
        heads=dataset.labels,
    )


def read(path: Path, net: NetSpec) -> dict[str, Tensor]:
    """The float32 tensors of ``net`` on the CPU by our names, from the authors' caffemodel of it.

    First layers of colour change from Caffe's BGR to RGB; HHA and depth stay as they were fed. Upsampling that ``net``
    says is fixed, and the scales before its skips, must be what the net computes itself.

    Raises Refusal, naming the blob, for one too many, too few, misshapen, of no numbers, or other than that; and for a
    file that is missing or cut short.
    """
    return _accounted(path, net)[0]


def _accounted(path: Path, net: NetSpec) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """``read``'s tensors, and each blob's fate in file order."""
    layers = caffemodel.read(path)
    blobs: dict[Address, Array] = {(name, i): blob for name, own in layers.items() for i, blob in enumerate(own)}
    wanted = places(net)
    for address in wanted:
        if address not in blobs:
            raise Refusal(f"{path} lacks {_called(address)}: {OTHER}")
    tensors, report = {}, []
    for address, blob in blobs.items():
        if address not in wanted:
            raise Refusal(f"{path}: {_called(address)} has no place in this net: {OTHER}")
        place = wanted[address]
        fitted = _fitted(path, address, blob, place.shape)
        told: dict[str, Any] = {"layer": address[0], "blob": address[1], "shape": list(blob.shape)}
        if isinstance(place, Fixed):
            _check(path, address, fitted, place)
            told |= {"fate": place.kind}
        else:
            tensors[place.tensor] = _turned(fitted, place)
            told |= {"fate": "copied" if place.order is None else "BGR to RGB", "tensor": place.tensor}
        report.append(told)
    return tensors, report


def _fitted(path: Path, address: Address, blob: Array, shape: tuple[int, ...]) -> Array:
    """``blob`` in ``shape``, from which Caffe's old layout differs by leading ones."""
    if blob.shape != (1,) * (blob.ndim - len(shape)) + shape:
        found, needed = ("×".join(map(str, sizes)) for sizes in (blob.shape, shape))
        raise Refusal(f"{path}: {_called(address)} is {found} where this net has {needed}: {OTHER}")
    if not np.isfinite(blob).all():
        raise Refusal(f"{path}: {_called(address)} holds NaN or infinity: download the file again")
    return blob.reshape(shape)


def _turned(blob: Array, place: Weight) -> Tensor:
    tensor = torch.from_numpy(blob)
    return tensor.clone() if place.order is None else tensor[:, list(place.order)].contiguous()


def _check(path: Path, address: Address, blob: Array, place: Fixed) -> None:
    expected = place.expected()
    off = np.abs(blob - expected)
    if off.max() > TOLERANCE * expected.max():
        at = np.unravel_index(int(off.argmax()), off.shape)
        where = f"{_called(address)} is {blob[at]:.6g} at ({', '.join(str(int(index)) for index in at)})"
        rule = {"bilinear": "fixed bilinear upsampling", "scale": "skip_scales"}[place.kind]
        raise Refusal(f"{path}: {where} where this net's {rule} has {expected[at]:.6g}: {OTHER}")


def _called(address: Address) -> str:
    layer, number = address
    return f"blob {number} of {layer}"
