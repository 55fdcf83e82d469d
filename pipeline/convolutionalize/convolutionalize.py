"""Turn a trained classifier into a convolutional backbone that takes RGB 0–255 minus a mean, and prove it the same."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.convolutionalize import weights
from pipeline.convolutionalize.weights import Manifest
from pipeline.core import files, plugins
from pipeline.core.types import LabelSpec, Refusal, color
from pipeline.spec import NetSpec
from pipeline.weights import checkpoint

SCORE = "score.imagenet"  # the classifier's last layer as a 1×1 convolution
TOLERANCE = 1e-4  # of the largest logit


def convolutionalize(folder: Path, key: str, padding: int, out: Path) -> None:
    """Write ``out``/<key>-fcn.safetensors from the manifest and weights in ``folder``, and the proof beside it."""
    if not isinstance(padding, int) or padding < 0:
        raise Refusal(f"backbones.{key}.padding is {padding!r}: write a whole number of pixels, the authors' is 100")
    backbone, manifest = plugins.load("backbones", key), Manifest.read(folder / "manifest.json")
    mean = manifest.rgb(manifest.mean)
    spec = NetSpec(backbone=key, width=manifest.width, crop=manifest.crop, padding=padding, mean=mean)
    state = weights.read(folder / manifest.file, manifest, backbone, spec)
    names = manifest.classes or tuple(str(i) for i in range(len(state[f"{backbone.LAST}.bias"])))
    spec = replace(spec, heads={"imagenet": LabelSpec(classes=names, palette=tuple(map(color, range(len(names)))))})
    tensors = reshape(fold(state, manifest, backbone), spec)
    facts: dict[str, Any] = prove(state, manifest, tensors, spec)
    facts["parameters"] = sum(tensor.numel() for tensor in tensors.values())
    facts["spec"] = {**spec.to_json(), "heads": {"imagenet": len(names)}}
    checkpoint.save(out / f"{key}-fcn.safetensors", tensors, spec)
    files.write_json(out / f"{key}-fcn.json", facts)


def fold(state: Mapping[str, Tensor], manifest: Manifest, backbone: ModuleType) -> dict[str, Tensor]:
    """The same classifier for inputs in RGB 0–255 minus ``manifest``'s mean: order, range and std go into weights.

    A net trained on inputs of about ±2.6, as torchvision's, has logits of the same size with weights that are larger
    by s ≈ 57 over the whole net. Were all of 1/s folded into the first convolution, its gradient, which grows with
    its input, would be s² times too strong for its weights at Caffe's learning rates. ReLU nets are homogeneous, so
    s is spread: of L layers in a chain each takes s^(-1/L), the bias of layer l takes s^(1-l/L), and the logits stay.

    Raises Refusal for a net that is no such chain (local response normalisation is not homogeneous) unless s is 1.
    """
    std = manifest.rgb(manifest.std)
    scale = sum(std) / 3
    folded = dict(state)
    first = folded[f"{backbone.FIRST}.weight"]
    if manifest.order == "BGR":
        first = first.flip(1)
    if std != (1.0, 1.0, 1.0):
        first = first * (scale / torch.tensor(std, dtype=torch.float64)).float()[:, None, None]
    folded[f"{backbone.FIRST}.weight"] = first
    if abs(scale - 1) < 1e-6:
        return folded
    if backbone.CHAIN is None:
        given = f"std {manifest.std} in range {manifest.range}"
        raise Refusal(f"{given} needs a net without normalisation: use Caffe weights")
    layers = len(backbone.CHAIN)
    for depth, layer in enumerate(backbone.CHAIN, 1):
        folded[f"{layer}.weight"] = folded[f"{layer}.weight"] * scale ** (-1 / layers)
        folded[f"{layer}.bias"] = folded[f"{layer}.bias"] * scale ** (1 - depth / layers)
    return folded


def reshape(state: Mapping[str, Tensor], spec: NetSpec) -> dict[str, Tensor]:
    """A folded classifier as ``backbone.*`` and a 1×1 ``score.imagenet``: O×I becomes O×C×k×k, in that order."""
    backbone = plugins.load("backbones", spec.backbone)
    with torch.device("meta"):
        places = backbone.Backbone(spec).state_dict()
    tensors = {f"backbone.{name}": state[name].view(place.shape) for name, place in places.items()}
    tensors[f"{SCORE}.weight"] = state[f"{backbone.LAST}.weight"][:, :, None, None]
    tensors[f"{SCORE}.bias"] = state[f"{backbone.LAST}.bias"]
    return tensors


@torch.inference_mode()
def logits(tensors: Mapping[str, Tensor], spec: NetSpec, image: Tensor) -> Tensor:
    """N×3×H×W float RGB minus ``spec.mean`` to N×classes×h×w: ImageNet's logits at every cell of stride 32."""
    with torch.device("meta"):
        net = plugins.load("backbones", spec.backbone).Backbone(spec)
    net.load_state_dict({name: tensors[f"backbone.{name}"] for name in net.state_dict()}, assign=True)
    return functional.conv2d(net.eval()(image)[32], tensors[f"{SCORE}.weight"], tensors[f"{SCORE}.bias"])


@torch.inference_mode()
def classify(state: Mapping[str, Tensor], manifest: Manifest, spec: NetSpec, image: Tensor) -> Tensor:
    """N×3×crop×crop float RGB in 0–255 to N×classes logits by the classifier as it was, with its own preprocessing."""
    module = plugins.load("backbones", spec.backbone)
    with torch.device("meta"):
        net = module.Classifier(spec, len(state[f"{module.LAST}.bias"]))
    net.load_state_dict(state, assign=True)
    ordered = image if manifest.order == "RGB" else image.flip(1)
    mean, std = (torch.tensor(values)[:, None, None] for values in (manifest.mean, manifest.std))
    found: Tensor = net.eval()((ordered / 255 * manifest.range - mean) / std)
    return found


def prove(
    state: Mapping[str, Tensor], manifest: Manifest, tensors: Mapping[str, Tensor], spec: NetSpec
) -> dict[str, float]:
    """Show one random picture of ``spec.crop`` pixels to the classifier as it was and to the convolutions.

    With the classifier's own padding the mean over the convolutions' map is the classifier's answer: VGG16's map is
    one cell, and GoogLeNet's average pool may follow its linear layer as well as go before it.
    Raises Refusal when they differ by more than 1e-4 of the largest logit.
    """
    noise = np.random.default_rng([0, spec.crop]).integers(0, 256, (1, 3, spec.crop, spec.crop), dtype=np.uint8)
    image = torch.from_numpy(noise).float()
    native = replace(spec, padding=plugins.load("backbones", spec.backbone).NATIVE_PADDING)
    want = classify(state, manifest, native, image)
    got = logits(tensors, native, image - torch.tensor(spec.mean)[:, None, None]).mean((2, 3))
    difference, largest = float((got - want).abs().max()), float(want.abs().max())
    relative = difference / largest if largest else difference
    if not relative <= TOLERANCE:
        raise Refusal(f"the convolutions of {spec.backbone} differ from the classifier by {relative:.1e} of its logits")
    return {"max_abs_diff": difference, "relative": relative}
