"""Foretell how much memory a recipe takes, by counting what a net holds of small images."""

from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from pipeline.datasets.own import folder
from pipeline.fcn.inputs import channels
from pipeline.fcn.net import make
from pipeline.serving.device import Allocations, available
from pipeline.serving.segment import MOST, Segmenter
from pipeline.spec import NetSpec
from pipeline.training.feed import DEPTH, Item
from pipeline.training.recipe import SolverSpec
from pipeline.training.solver import Solver

SIDES = (96, 192)  # pixels of the images that are counted: 3 s with GoogLeNet, 20 s with the whole VGG16
# What a step holds of an image takes, beside torch's tensors, oneDNN's copies and what glibc keeps. Measured on two
# cores as VmHWM: 2.08 of GoogLeNet's (542 MB at 512×512, 2,093 MB at 1024×1024), 2.1 of a thin VGG16's, 1.7 of VGG16's
SCRATCH = 2.1
PYTHON = 600 << 20  # bytes of a process with torch, before it does anything
LABELLED, PAINTED = 4, 13  # bytes a pixel of a picture and its label; and while the overlay is drawn (measured)
LABEL = 4  # bytes that decoding takes for a pixel of a label: Pillow's image, its bytes twice, and the array


def lines(name: str, row: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[str]:
    """For each recipe of ``params`` on the data set ``name``, a ``row`` of folders: what its tasks take on a CPU.

    Python is counted in. Nets are those of the rows that weights come from; the largest image counts.
    """
    parsed = folder.parse(name, row)
    found = parsed.survey(Path(parsed.row.root))
    height, width = max((_size(found.root / path) for path in found.images.values()), key=prod)
    for recipe, of in params["recipes"].items():
        backbone = of["net"]["backbone"]
        if of["data"]["shards"] != name or backbone not in params["backbones"]:
            continue
        source = params["pretrain"].get(backbone) or params["downloads"].get(backbone, {}).get("manifest", {})
        spec = NetSpec(
            backbone=backbone, width=source.get("width", 1.0), crop=source.get("crop", 224), mean=(0.0,) * 3,
            padding=params["backbones"][backbone]["padding"], stride=of["net"].get("stride", 32),
            heads=parsed.SPEC.labels,
        )  # fmt: skip
        crop = of["data"].get("crop", 0)
        tasks = {
            f"training on {f'windows of {crop}' if crop else 'whole images'}": training(spec, height, width, crop=crop)
        }
        tasks |= {"evaluating": (whole := _whole(spec, height, width))}
        tasks |= {"labelling": max(min(whole, MOST) + LABELLED * height * width, PAINTED * height * width)}
        told = ", ".join(f"{task} {(taken + PYTHON) / 1e9:.1f} GB" for task, taken in tasks.items())
        free = available(torch.device("cpu"))
        lack = f"; {free / 1e9:.1f} GB are free here" if max(tasks.values()) + PYTHON > free else ""
        yield f"{recipe} takes for {height}×{width}: {told}{lack}"


def _whole(spec: NetSpec, height: int, width: int) -> int:
    """Bytes that a forward pass takes of an image in one piece."""
    with torch.device("meta"):
        net = make(spec)
    area = (height + 2 * spec.padding) * (width + 2 * spec.padding)
    return int(Segmenter(net, torch.device("cpu")).bytes_per_pixel * area)


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.height, image.width


def training(spec: NetSpec, height: int, width: int, *, crop: int = 0, workers: int = 1) -> int:
    """Bytes that a training of ``spec``'s net on the CPU takes beside Python's own, where images are H×W pixels.

    These are: weights, gradients and momentum; what a step holds of one image, or of its window where there is a
    ``crop``; what ``workers`` threads hold to decode images, which they do whole; and the decoded ones that wait. Not
    in it are the encoded ones, up to 1 GB.

    What grows with the image grows with its padded area, so two small ones tell. The net's weights are zero, which
    changes no size. Raises Refusal where ``spec``'s parts do not fit together.
    """
    small, large = (_step(spec, side) for side in SIDES)
    first, second = ((side + 2 * spec.padding) ** 2 for side in SIDES)
    slope = (large - small) / (second - first)
    rows, columns = (min(crop or length, length) for length in (height, width))
    area = (rows + 2 * spec.padding) * (columns + 2 * spec.padding)
    pixels = sum(map(channels, spec.inputs))
    decoding = max(1, workers) * (pixels + LABEL * len(spec.heads)) * height * width
    waiting = DEPTH * (pixels + len(spec.heads)) * rows * columns
    return int(small - slope * first + SCRATCH * slope * area + decoding + waiting)


def _step(spec: NetSpec, side: int) -> int:
    """Bytes at most that tensors hold while a net takes a step on an image of ``side`` × ``side`` px."""
    counted = Allocations()
    with counted:
        net = make(spec).train()
        solver = Solver(net, SolverSpec(iterations=1, lr=1e-10, momentum=0.9), spec.heads)
        image = torch.zeros(1, len(spec.mean), side, side)
        labels = {head: torch.zeros(1, side, side, dtype=torch.uint8) for head in spec.heads}
        solver.step([Item(draw=0, id="", image=image, labels=labels, valid=dict.fromkeys(spec.heads, side * side))])
    return counted.peak
