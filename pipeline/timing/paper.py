"""The nets whose inference the paper timed, at full size with random weights, and the times that it printed."""

from __future__ import annotations

from pipeline.datasets.shared.voc_classes import LABEL, MEAN
from pipeline.published.published import NETWORKS, PUBLISHED, TABLE1, TABLE3, TIMES
from pipeline.spec import NetSpec

FULL = 1.0  # the width of the paper's nets


def _spec(backbone: str, padding: int, stride: int = 32) -> NetSpec:
    heads = {"semantic": LABEL}
    return NetSpec(backbone=backbone, width=FULL, crop=224, padding=padding, mean=MEAN, stride=stride, heads=heads)


# Padding as in conf/scale/paper.yaml. Table 1 has the three of stride 32, Table 3 the FCN-8s
NETS = {
    "FCN-AlexNet": _spec("alexnet", 100),
    "FCN-VGG16": _spec("vgg16", 100),
    "FCN-GoogLeNet": _spec("googlenet", 3),
    "FCN-16s": _spec("vgg16", 100, 16),
    "FCN-8s": _spec("vgg16", 100, 8),
}
PRINTED = {**{network.net: f"{network.forward} ms" for network in NETWORKS}, **TIMES}


def printed(name: str, width: float) -> str | None:
    """What the paper printed for a net, by its name there or the recipe that repeats it; None for a thinner net."""
    if width != FULL:
        return None
    names = {row.recipe: row.net for row in PUBLISHED if row.source in (TABLE1, TABLE3) and row.recipe}
    return PRINTED.get(names.get(name, name))
