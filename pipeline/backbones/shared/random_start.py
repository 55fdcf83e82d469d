"""Draw a net's first weights."""

import math
from fnmatch import fnmatchcase

import torch
from torch import nn

from pipeline.core import plugins
from pipeline.spec import NetSpec

INPUT_STD = 57.0  # of RGB in 0–255 minus its mean, over ImageNet's photographs


@torch.no_grad()
def random_start(net: nn.Module, spec: NetSpec, generator: torch.Generator) -> dict[str, str]:
    """Draw every weight of a classifier or an ``FCN`` but the scoring layers, which stay zero; biases are zero.

    He's initialisation keeps a ReLU net's activations at the scale of its input, here about 57. Nets that Caffe
    trained bring them down to about 1 along the way, and the learning rates assume it: each of the DEPTH layers
    takes its share, 57^(-1/DEPTH).

    Returns what became of each tensor: random, zero or bilinear.
    """
    backbone = plugins.load("backbones", spec.backbone)
    gain = math.sqrt(2) * INPUT_STD ** (-1 / backbone.DEPTH)
    heads = [f"{backbone.LAST}.*", *(f"*{head}.score_*" for head in spec.heads)]
    report: dict[str, str] = {}
    for name, parameter in net.named_parameters():
        if ".upscore" in name:
            report[name] = "bilinear"
        elif name.endswith(".weight") and not any(fnmatchcase(name, head) for head in heads):
            parameter.normal_(0.0, gain / math.sqrt(parameter[0].numel()), generator=generator)
            report[name] = "random"
        else:
            parameter.zero_()
            report[name] = "zero"
    return report
