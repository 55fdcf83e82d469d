"""Thin nets that know no class by heart, and pictures that they see many classes in."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from pipeline.backbones.shared.random_start import random_start
from pipeline.core.types import LabelSpec
from pipeline.fcn.net import FCN, LateFCN, make
from pipeline.spec import NetSpec
from pipeline.weights import checkpoint

MEAN = (123.0, 117.0, 104.0)


def labels(classes: int) -> LabelSpec:
    """Classes of distinct colours; the first, black, is background."""
    palette = tuple((i * 37 % 256, i * 91 % 256, i * 151 % 256) for i in range(classes))
    return LabelSpec(classes=tuple(f"class {i}" for i in range(classes)), palette=palette)


def spec(backbone: str = "vgg16", stride: int = 8, **changes: object) -> NetSpec:
    """VGG16 with 20 px of padding for a window of 96, GoogLeNet with its own 3."""
    padding = 3 if backbone == "googlenet" else 20
    fields = {"backbone": backbone, "width": 0.02, "crop": 96, "padding": padding, "mean": MEAN, "stride": stride}
    return NetSpec(**{**fields, "heads": {"semantic": labels(21)}, **changes})  # type: ignore[arg-type]


def net(net_spec: NetSpec) -> FCN | LateFCN:
    """Random weights; biases level the classes on ``photograph``, so that many of them win somewhere."""
    made, generator = make(net_spec).eval(), torch.Generator().manual_seed(0)
    for column in net_spec.inputs if isinstance(made, LateFCN) else [""]:
        stream = made.get_submodule(column)
        assert isinstance(stream, FCN)
        random_start(stream, stream.spec, generator)
    for name, parameter in made.named_parameters():
        if ".score_" in f".{name}":
            torch.nn.init.normal_(parameter, 0, 0.1, generator=generator)
    pixels = torch.from_numpy(photograph(200, 300)).permute(2, 0, 1)[None].float()
    image = pixels.repeat(1, len(net_spec.mean) // 3 + 1, 1, 1)[:, : len(net_spec.mean)]
    with torch.no_grad():
        for head, scores in made(image - torch.tensor(net_spec.mean).view(1, -1, 1, 1)).items():
            for name, bias in made.named_parameters():
                if name.endswith(f"{head}.score_fr.bias"):
                    bias -= scores.mean((0, 2, 3))
    return made


def saved(path: Path, net_spec: NetSpec) -> Path:
    """``net`` as a checkpoint."""
    checkpoint.save(path, net(net_spec).state_dict(), net_spec)
    return path


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth random colours, height×width×3 uint8."""
    noise = np.random.default_rng(seed).integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), np.uint8)
    return np.array(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC))
