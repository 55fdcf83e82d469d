"""A trained classifier as it lies in data/weights/<backbone>: its manifest, and its tensors under our names."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pipeline.caffe import caffemodel
from pipeline.core.types import Refusal
from pipeline.spec import NetSpec

FORMATS = ("torchvision", "caffe", "classifier")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What must be known of a weights file to use it; unknown facts beside (source, licence) are for the reader.

    The classifier's input is ``(image / 255 * range - mean) / std``, channels in ``order``. ``classes`` may be empty.
    """

    file: str
    format: str
    order: str
    range: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop: int
    width: float
    classes: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Parse ``manifest.json``; Refusal, naming the field, for one that is missing or of no use."""
        try:
            row = json.loads(path.read_text(encoding="utf-8"))
            values = {field.name: row[field.name] for field in fields(cls) if field.name != "classes"}
            values |= {name: tuple(map(float, row[name])) for name in ("mean", "std")}
            manifest = cls(**values, classes=tuple(map(str, row.get("classes") or ())))
        except FileNotFoundError:
            raise Refusal(f"no weights manifest at {path}: run download-weights or pretrain first") from None
        except KeyError as error:
            raise Refusal(f"{path} lacks {error}: add it, preprocessing is never guessed") from None
        except (ValueError, TypeError) as error:
            raise Refusal(f"{path} is not a weights manifest ({error}): write it again") from None
        manifest._check(path)
        return manifest

    def _check(self, path: Path) -> None:
        wrong = {
            "format": self.format not in FORMATS,
            "order": self.order not in ("RGB", "BGR"),
            "range": self.range not in (1, 255),
            "mean": len(self.mean) != 3,
            "std": len(self.std) != 3 or min(self.std, default=0) <= 0,
            "crop": not isinstance(self.crop, int) or self.crop <= 0 or self.crop % 32 != 0,
            "width": not isinstance(self.width, int | float) or self.width <= 0,
        }
        for name in (name for name, bad in wrong.items() if bad):
            raise Refusal(f"{path}: {name} cannot be {getattr(self, name)!r}: see pipeline/convolutionalize/weights.py")

    def rgb(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """``mean`` or ``std`` in RGB order and in units of 0–255."""
        scaled = tuple(value * 255 / self.range for value in values)
        return scaled if self.order == "RGB" else scaled[::-1]


def read(path: Path, manifest: Manifest, backbone: ModuleType, spec: NetSpec) -> dict[str, Tensor]:
    """The classifier's float32 tensors on the CPU by our names, each accounted for, in the classifier's own order.

    Raises Refusal for a missing or corrupt file, a tensor too many, too few, misshapen or without values.
    """
    donors = {name: donor for name, donor in _load(path, manifest, backbone).items() if not _dropped(name, backbone)}
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
    if backbone.TORCHVISION is None:
        raise Refusal(f"{path}: torchvision's net of this name is another than the paper's: use Caffe's weights")
    return {backbone.TORCHVISION.get(name, name): tensor for name, tensor in stored.items()}


def _dropped(name: str, backbone: ModuleType) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in backbone.DROPPED)


def _fitted(path: Path, name: str, donor: Tensor, place: Tensor) -> Tensor:
    """``donor`` in the shape of ``place``, from which it may differ by Caffe's leading ones."""
    if [size for size in donor.shape if size > 1] != [size for size in place.shape if size > 1]:
        shapes = ("×".join(map(str, tensor.shape)) for tensor in (donor, place))
        raise Refusal(f"{path}: {name} is {' where this net has '.join(shapes)}: check crop and width of the manifest")
    if not donor.isfinite().all():
        raise Refusal(f"{path}: {name} has no values (torchvision's …_FEATURES weights?): use a whole classifier's")
    return torch.empty(place.shape).copy_(donor.reshape(place.shape))  # aligned, as results depend on it
