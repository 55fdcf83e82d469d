"""A trained classifier as it lies in data/weights/<backbone>: its manifest, and its tensors under our names."""

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pipeline.caffe import caffemodel
from pipeline.core import fields
from pipeline.core.types import Refusal
from pipeline.spec import NetSpec


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What must be known of a weights file to use it; unknown facts beside (source, licence) are for the reader.

    The classifier's input is ``(image / 255 * range - mean) / std``, channels in ``order``. ``classes`` may be empty.
    ``format: published`` is a state dict in its publisher's names, which the backbone's ``folded`` translates.
    """

    file: str
    format: Literal["torchvision", "caffe", "classifier", "published"]
    order: Literal["RGB", "BGR"]
    range: Literal[1, 255]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop: int = fields.bounded(least=32)
    width: float = fields.bounded(above=0.0)
    classes: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Parse ``manifest.json``; Refusal, naming the field, for one that is missing or of no use."""
        try:
            row = json.loads(path.read_text(encoding="utf-8"))
            known = {name: row[name] for name in cls.__annotations__ if row.get(name) not in (None, [])}
        except FileNotFoundError:
            raise Refusal(f"no weights manifest at {path}: run download-weights or pretrain first") from None
        except (ValueError, AttributeError) as error:
            raise Refusal(f"{path} is not a weights manifest ({error}): write it again") from None
        manifest = fields.read(cls, str(path), known)
        if manifest.crop % 32:
            raise Refusal(f"{path}.crop is {manifest.crop}: it must be a multiple of 32")
        if len(manifest.mean) != 3 or len(manifest.std) != 3 or min(manifest.std) <= 0:
            raise Refusal(f"{path}: mean and std are {manifest.mean}, {manifest.std}: write three, std above 0")
        return manifest

    def rgb(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """``mean`` or ``std`` in RGB order and in units of 0–255."""
        scaled = tuple(value * 255 / self.range for value in values)
        return scaled if self.order == "RGB" else scaled[::-1]


def read(path: Path, manifest: Manifest, backbone: ModuleType, spec: NetSpec) -> dict[str, Tensor]:
    """The classifier's float32 tensors on the CPU by our names, each accounted for, in the classifier's own order.

    Raises Refusal for a missing or corrupt file, a tensor too many, too few, misshapen or without values.
    """
    stored = _load(path, manifest, backbone)
    dropped = {name for name in stored for pattern in backbone.DROPPED if fnmatchcase(name, pattern)}
    donors = {name: donor for name, donor in stored.items() if name not in dropped}
    last = donors.get(f"{backbone.LAST}.bias")
    if last is None:
        raise Refusal(f"{path} has no layer {backbone.LAST}: these are not the weights of a whole {spec.backbone}")
    with torch.device("meta"):
        places = backbone.Classifier(spec, last.numel()).state_dict()
    if strangers := sorted(donors.keys() - places.keys()):
        raise Refusal(f"{path}: {strangers[0]} is in no {spec.backbone}: these are another net's weights")
    state = {}
    for name, place in places.items():
        if name not in donors:
            raise Refusal(f"{path} lacks {name}: these are not the weights of a whole {spec.backbone}")
        state[name] = _fitted(path, name, donors[name], place)
    return state


def _load(path: Path, manifest: Manifest, backbone: ModuleType) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise Refusal(f"no weights at {path}, which the manifest names: run download-weights or pretrain again")
    if manifest.format == "caffe":
        return {name: torch.from_numpy(blob) for name, blob in caffemodel.state(caffemodel.read(path)).items()}
    try:
        if manifest.format == "classifier":
            return load_file(path)
        stored: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).split("\n")[0]
        raise Refusal(f"{path} cannot be read as {manifest.format} weights ({reason}): fetch it again") from None
    if manifest.format == "published" and hasattr(backbone, "folded"):
        folded: dict[str, Tensor] = backbone.folded(stored)
        return folded
    if backbone.TORCHVISION is None:
        raise Refusal(f"{path}: torchvision's net of this name is another than the paper's: use Caffe's weights")
    return {backbone.TORCHVISION.get(name, name): tensor for name, tensor in stored.items()}


def _fitted(path: Path, name: str, donor: Tensor, place: Tensor) -> Tensor:
    """``donor`` in the shape of ``place``, from which it may differ by Caffe's leading ones."""
    if [size for size in donor.shape if size > 1] != [size for size in place.shape if size > 1]:
        shapes = ("×".join(map(str, tensor.shape)) for tensor in (donor, place))
        raise Refusal(f"{path}: {name} is {' where this net has '.join(shapes)}: check crop and width of the manifest")
    if not donor.isfinite().all():
        raise Refusal(f"{path}: {name} has no values (torchvision's …_FEATURES weights?): use a whole classifier's")
    return torch.empty(place.shape).copy_(donor.reshape(place.shape))  # aligned, as results depend on it
