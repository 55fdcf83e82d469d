"""Foretell what a recipe's training costs on a GPU: operations and tensors of one step, counted, not computed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from pipeline.core import plugins
from pipeline.fcn.inputs import channels
from pipeline.fcn.net import FCN, LateFCN, make
from pipeline.serving.device import Allocations
from pipeline.spec import NetSpec
from pipeline.training.loss import cross_entropy
from pipeline.training.momentum import Momentum
from pipeline.training.recipe import Recipe, parse

SIDES = {"nyud": (425, 560), "siftflow": (256, 256)}  # pixels, rows × columns, of a data set's images
PASCAL = (375, 500)  # of most photographs of VOC, SBD and PASCAL-Context
CROP = 224  # of the classifiers that the paper starts from


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Floating-point operations of a recipe's whole training, and bytes that its tensors hold at most."""

    flops: float
    memory: int


def recipes(params: Mapping[str, Any]) -> dict[str, tuple[Recipe, NetSpec, tuple[int, int]]]:
    """Each recipe of ``params`` (params.yaml's) by name, its net at full width, and its images' rows and columns."""
    found = {}
    for name, row in params["recipes"].items():
        recipe = parse(name, {group: row[group] for group in ("net", "data", "solver")})
        labels = plugins.load("datasets", recipe.data.shards).SPEC.labels
        spec = NetSpec(
            backbone=recipe.net.backbone,
            width=1.0,
            crop=CROP,
            padding=params["backbones"][recipe.net.backbone]["padding"],
            mean=(0.0,) * sum(map(channels, recipe.net.inputs)),
            inputs=recipe.net.inputs,
            streams=recipe.net.streams,
            stride=recipe.net.stride,
            skip_scales=recipe.net.skip_scales,
            fusion=recipe.net.fusion,
            upsampling=recipe.net.upsampling,
            heads={head: labels[head] for head in recipe.net.heads},
        )
        found[name] = recipe, spec, SIDES.get(recipe.data.shards, PASCAL)
    return found


def cost(recipe: Recipe, spec: NetSpec, height: int, width: int) -> Cost:
    """What ``recipe`` takes where all its images are H×W pixels: a step's operations times its images, its memory.

    Convolutions and products count, multiplications and additions apart, forward and backward. Memory is weights,
    gradients, momentum and what an image leaves for backward; CUDA's own, cuDNN's scratch and torch's spare come on
    top. Everything is on the meta device, where shapes are all there is.
    """
    counter, held = FlopCounterMode(display=False), Allocations()
    with held, counter, torch.device("meta"):
        net = make(spec).train()
        momentum = Momentum(net, momentum=recipe.solver.momentum, weight_decay=recipe.solver.weight_decay)
        step(net, height, width)
        del momentum
    images = recipe.solver.iterations * recipe.solver.batch
    return Cost(flops=float(counter.get_total_flops()) * images, memory=held.peak)


def step(net: FCN | LateFCN, height: int, width: int) -> None:
    """Forward, loss and backward of an image on the meta device, as ``Solver`` computes them."""
    scores = net(torch.zeros(1, len(net.spec.mean), height, width, device="meta"))
    label = torch.zeros(1, height, width, dtype=torch.uint8, device="meta")
    sums = [cross_entropy(scores[head], label, spec.ignore_label) for head, spec in net.spec.heads.items()]
    torch.stack(sums).sum().backward()  # type: ignore[no-untyped-call]
