"""Foretell how much memory a training takes, by counting what steps on two small images hold."""

from __future__ import annotations

import torch

from pipeline.fcn.inputs import channels
from pipeline.fcn.net import make
from pipeline.serving.device import Allocations
from pipeline.spec import NetSpec
from pipeline.training.feed import DEPTH, Item
from pipeline.training.recipe import SolverSpec
from pipeline.training.solver import Solver

SIDES = (96, 192)  # pixels of the images that are counted: 3 s with GoogLeNet, 20 s with the whole VGG16
# What a step holds of an image takes, beside torch's tensors, oneDNN's copies and what glibc keeps. Measured on two
# cores as VmHWM: 2.08 of GoogLeNet's (542 MB at 512×512, 2,093 MB at 1024×1024), 2.1 of a thin VGG16's, 1.7 of VGG16's
SCRATCH = 2.1
LABEL = 3  # bytes that decoding takes for a pixel of a label: Pillow's image, its bytes and the array


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
