"""The authors' released nets without Caffe: a .caffemodel whose every blob finds its place in a net of ours."""

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
from pipeline.released.blobs import Address, Fixed, places
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
    "pascalcontext-fcn32s": Released(dataset="pascalcontext"),
    "pascalcontext-fcn16s": Released(dataset="pascalcontext", stride=16),
    "pascalcontext-fcn8s": Released(dataset="pascalcontext", stride=8),
}


def import_released(key: str, path: Path, name: str, out: Path) -> None:
    """Write ``out``/model.safetensors from the caffemodel at ``path`` of the authors' net ``name``.

    Beside it import.json gives of every blob its layer, number, shape and fate. Raises Refusal for a net they have not
    released, and as ``read`` does; nothing is written then. ``key`` is the row of params.yaml's ``imports``.
    """
    if not path.is_file():
        raise Refusal(f"imports.{key}.file is {path}, which is no file: download it first")
    if name not in RELEASED:
        raise Refusal(f"imports.{key}.net.name is {name!r}: the authors' nets are {', '.join(RELEASED)}")
    net = spec(RELEASED[name])
    tensors, fates = read(path, net)
    checkpoint.save(out / "model.safetensors", tensors, net)
    facts: dict[str, Any] = {"net": name, "file": path.name, "sha256": files.sha256(path), "blobs": fates}
    facts["parameters"] = sum(tensor.numel() for tensor in tensors.values())
    facts["spec"] = {**net.to_json(), "heads": {head: len(label.classes) for head, label in net.heads.items()}}
    files.write_json(out / "import.json", facts)


def spec(net: Released) -> NetSpec:
    """``net`` at full width as the authors fed it: 100 pixels around the image, their dataset's mean subtracted."""
    dataset = plugins.load("datasets", net.dataset).SPEC
    mean = tuple(value for column in net.inputs for value in dataset.mean[column])
    own = {name: value for name, value in vars(net).items() if name != "dataset"}
    return NetSpec(**own, width=1.0, crop=224, padding=100, mean=mean, heads=dataset.labels)


def read(path: Path, net: NetSpec) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """The float32 tensors of ``net`` on the CPU by our names, from the authors' caffemodel of it; each blob's fate.

    First layers of colour change from Caffe's BGR to RGB; HHA and depth stay as they were fed. Upsampling that ``net``
    says is fixed, and the scales before its skips, must be what the net computes itself.

    Raises Refusal, naming the blob, for one too many, too few, misshapen, of no numbers, or other than that; and for a
    file that is missing or cut short.
    """
    blobs = {(layer, i): blob for layer, own in caffemodel.read(path).items() for i, blob in enumerate(own)}
    wanted = places(net)
    for address in wanted:
        if address not in blobs:
            raise Refusal(f"{path} lacks {_name(address)}: {OTHER}")
    tensors, fates = {}, []
    for address, blob in blobs.items():
        if address not in wanted:
            raise Refusal(f"{path}: {_name(address)} has no place in this net: {OTHER}")
        place = wanted[address]
        fitted = _fitted(path, address, blob, place.shape)
        fate: dict[str, Any] = {"layer": address[0], "blob": address[1], "shape": list(blob.shape)}
        if isinstance(place, Fixed):
            _check(path, address, fitted, place)
            fate |= {"fate": place.kind}
        else:
            tensor = torch.from_numpy(fitted)
            tensors[place.tensor] = tensor.clone() if place.order is None else tensor[:, list(place.order)].contiguous()
            fate |= {"fate": "copied" if place.order is None else "BGR to RGB", "tensor": place.tensor}
        fates.append(fate)
    return tensors, fates


def _fitted(path: Path, address: Address, blob: Array, shape: tuple[int, ...]) -> Array:
    """``blob`` in ``shape``, from which Caffe's old layout differs by leading ones."""
    if blob.shape != (1,) * (blob.ndim - len(shape)) + shape:
        found, needed = ("×".join(map(str, sizes)) for sizes in (blob.shape, shape))
        raise Refusal(f"{path}: {_name(address)} is {found} where this net has {needed}: {OTHER}")
    if not np.isfinite(blob).all():
        raise Refusal(f"{path}: {_name(address)} holds NaN or infinity: download the file again")
    return blob.reshape(shape)


def _check(path: Path, address: Address, blob: Array, place: Fixed) -> None:
    expected = place.expected()
    off = np.abs(blob - expected)
    if off.max() > TOLERANCE * expected.max():
        at = tuple(int(index) for index in np.unravel_index(int(off.argmax()), off.shape))
        rule = {"bilinear": "fixed bilinear upsampling", "scale": "skip_scales"}[place.kind]
        found = f"{_name(address)} is {blob[at]:.6g} at ({', '.join(map(str, at))})"
        raise Refusal(f"{path}: {found} where this net's {rule} has {expected[at]:.6g}: {OTHER}")


def _name(address: Address) -> str:
    layer, number = address
    return f"blob {number} of {layer}"
