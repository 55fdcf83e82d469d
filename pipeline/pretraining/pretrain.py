"""Train a backbone's classifier on small pictures held in memory, so that a miniature net has something to transfer."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from pipeline import determinism
from pipeline.backbones.shared.random_start import random_start
from pipeline.core import files, plugins
from pipeline.core.fields import bounded, read
from pipeline.core.types import Refusal
from pipeline.pretraining import imagenet, untrained
from pipeline.pretraining.imagenet import Pictures
from pipeline.pretraining.normalise import normalise, unnormalise
from pipeline.pretraining.untrained import LAST_STD
from pipeline.runtime.observer import Observer
from pipeline.spec import NetSpec

POINTS = 300  # per curve
WARM_UP = 0.1  # of the iterations


@dataclass(frozen=True, kw_only=True)
class PretrainSpec:
    """One row of ``pretrain``: the net, its input's side in pixels, and its solver: Adam at peak rate ``lr``.

    Without ``iterations`` the weights are random, in a file as Caffe's model zoo publishes it (``untrained``).
    """

    seed: int = bounded(least=0)
    width: float = bounded(above=0)
    crop: int = bounded(least=32)
    batch: int = bounded(least=1)
    iterations: int = bounded(least=0)
    lr: float = bounded(above=0)


def parse(key: str, row: Mapping[str, Any]) -> PretrainSpec:
    """Read the row ``pretrain.<key>`` of params.yaml; Refusal for whatever does not fit."""
    spec = read(PretrainSpec, f"pretrain.{key}", row)
    if spec.crop % 32:
        raise Refusal(f"pretrain.{key}.crop is {spec.crop}: make it a multiple of 32, the coarsest features' stride")
    return spec


def pretrain(
    key: str, spec: PretrainSpec, raw: Path, out: Path, device: torch.device, observer: Observer | None = None
) -> float:
    """Train backbone ``key`` on ``raw``'s archives into ``out/classifier.safetensors`` and ``out/manifest.json``.

    Pixels are RGB in 0–255 minus ``imagenet.MEAN``. ``observer`` sees the curves, ``POINTS`` points at most. Returns
    the top-1 accuracy (0–1) on val's centre crops.

    Raises Refusal when an archive is missing and when the loss stops being finite.
    """
    plain = NetSpec(backbone=key, width=spec.width, crop=spec.crop, padding=0, mean=imagenet.MEAN)
    generator = torch.Generator().manual_seed(determinism.mix(spec.seed, "start"))
    if not spec.iterations:
        untrained.write(key, plain, generator, out)
        return 1 / untrained.CLASSES
    names = imagenet.class_names(raw)
    side = imagenet.side_for(spec.crop)
    train = imagenet.decode(raw / imagenet.TRAIN, list(names), side)
    val = imagenet.decode(raw / imagenet.VAL, list(names), side)
    backbone = plugins.load("backbones", key)
    net: nn.Module = backbone.Classifier(plain, len(names))
    random_start(net, plain, generator)
    nn.init.normal_(net.get_parameter(f"{backbone.LAST}.weight"), std=LAST_STD, generator=generator)
    fit(net.to(device), backbone.LAST, train, spec, device, observer)
    top1 = accuracy(net, val, spec.crop, device)
    save(out, net, _manifest(spec, list(names.values()), top1))
    return top1


def fit(
    net: nn.Module,
    last: str,
    pictures: Pictures,
    spec: PretrainSpec,
    device: torch.device,
    observer: Observer | None = None,
) -> None:
    """Train in place on random crops, mirrored or not; crops and dropout are pure functions of (seed, iteration).

    Nobody published a recipe for this, so it takes what is fastest: Adam, and batch normalisation while it lasts.
    """
    scales = {id(parameter): scale for parameter, scale in normalise(net.train(), last)}
    groups = [{"params": [p], "scale": scales.get(id(p), 1.0)} for p in net.parameters()]
    solver = torch.optim.Adam(groups, fused=True)  # whose root is the processor's; the other's is MKL's (``lrn``)
    every, losses, since = math.ceil(spec.iterations / POINTS), [], time.perf_counter()
    with tqdm(total=spec.iterations * spec.batch, desc="pretrain", unit="image", disable=None) as bar:
        for iteration in range(spec.iterations):
            pixels, classes = imagenet.random_crops(
                pictures, seed=spec.seed, iteration=iteration, batch=spec.batch, crop=spec.crop
            )
            determinism.reseed(spec.seed, iteration)
            loss = cross_entropy(net(as_input(pixels, device)), torch.from_numpy(classes).to(device))
            if not math.isfinite(value := float(loss.detach())):
                raise Refusal(f"loss is {value} at iteration {iteration}: lower pretrain's lr ({spec.lr})")
            solver.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            lr = rate(spec.lr, iteration, spec.iterations)
            for group in solver.param_groups:
                group["lr"] = group["scale"] * lr
            solver.step()
            losses.append(value)
            done = iteration + 1
            if observer and (done % every == 0 or done == spec.iterations):
                mean, speed = math.fsum(losses) / len(losses), len(losses) * spec.batch / (time.perf_counter() - since)
                observer.point(done, {"loss": mean, "lr_log10": math.log10(lr), "throughput": speed})
                losses, since = [], time.perf_counter()
            bar.set_postfix(loss=f"{value:.3f}", refresh=False)
            bar.update(spec.batch)
    unnormalise(net.eval())


def rate(peak: float, iteration: int, iterations: int) -> float:
    """Up linearly over the first tenth of the iterations, then down to 0, slowly at both ends: 1 − 3t² + 2t³.

    Half a cosine is nearly the same curve, but C libraries round a cosine differently.
    """
    warm = max(1, round(WARM_UP * iterations))
    if iteration < warm:
        return peak * (iteration + 1) / warm
    done = (iteration - warm) / (iterations - warm)
    return peak * (1 - done * done * (3 - 2 * done))


def cross_entropy(logits: Tensor, classes: Tensor) -> Tensor:
    """Mean over the batch of −log softmax; the logits are N×classes, ``classes`` N int64."""
    return functional.log_softmax(logits, 1).gather(1, classes[:, None]).mean().neg()


def as_input(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    """N×S×S×3 uint8 to N×3×S×S float32 minus the mean."""
    images = torch.from_numpy(np.ascontiguousarray(pixels)).to(device).permute(0, 3, 1, 2)
    mean = torch.tensor(imagenet.MEAN, device=device).view(1, 3, 1, 1)
    return images.to(torch.float32, memory_format=torch.contiguous_format).sub_(mean)


@torch.inference_mode()
def accuracy(net: nn.Module, pictures: Pictures, crop: int, device: torch.device) -> float:
    """Top-1 on centre crops, 64 at a time."""
    crops = imagenet.centre_crops(pictures, crop)
    right = 0
    for start in range(0, len(crops), 64):
        guesses = net(as_input(crops[start : start + 64], device)).argmax(1).cpu().numpy()
        right += int((guesses == pictures.classes[start : start + 64]).sum())
    return right / len(pictures)


def _manifest(spec: PretrainSpec, classes: list[str], top1: float) -> dict[str, Any]:
    return {
        "file": "classifier.safetensors",
        "format": "classifier",
        "order": "RGB",
        "range": 255,
        "mean": list(imagenet.MEAN),
        "std": [1.0, 1.0, 1.0],
        "crop": spec.crop,
        "width": spec.width,
        "source": "pretrain",
        "licence": "Apache-2.0",
        "classes": classes,
        "top1": round(top1, 6),
    }


def save(out: Path, net: nn.Module, manifest: dict[str, Any]) -> None:
    """Write the folder: weights sorted by name, without metadata, and ``manifest.json``."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(net.state_dict().items())}
    with files.replacing(out) as scratch:
        scratch.mkdir()
        save_file(tensors, scratch / manifest["file"])
        files.write_json(scratch / "manifest.json", manifest)
