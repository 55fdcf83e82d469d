"""Layers that are born zero: weights come from surgery, never from a global generator."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.backbones.shared import winograd


class Conv2d(nn.Conv2d):
    """A convolution that starts at zero, as Caffe's default filler leaves it and as new score layers need it.

    On a CPU wide 3×3 ones over large maps are computed as ``winograd`` does.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not planned(x) or self.groups > 1 or not winograd.pays(x, self.weight, self.stride, self.padding):
            return super().forward(x)
        made: Tensor = winograd.Winograd.apply(x, self.weight, self.bias)
        return made

    def reset_parameters(self) -> None:
        _zero(self)


class Sliding(Conv2d):
    """A fully connected layer that slides over a map without padding: N×C×h×w to N×C'×h'×w'.

    On a CPU the product of its weight as it lies there with the unfolded map: torch's convolution reorders a copy of
    fc6's 411 MB at every pass.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not planned(x):
            return super().forward(x)
        assert self.bias is not None
        height, width = (side - kernel + 1 for side, kernel in zip(x.shape[2:], self.kernel_size, strict=True))
        bias, weight = self.bias.unsqueeze(1), self.weight.flatten(1)
        maps = [torch.addmm(bias, weight, columns) for columns in functional.unfold(x, self.kernel_size)]
        return torch.stack(maps).view(len(x), -1, height, width)


def planned(x: Tensor) -> bool:
    """Whether layers may choose how to compute: on a CPU, in full precision, and not while the graph is exported."""
    return x.device.type == "cpu" and not torch.is_autocast_enabled("cpu") and not torch.compiler.is_exporting()


class Linear(nn.Linear):
    """A fully connected layer that starts at zero."""

    def reset_parameters(self) -> None:
        _zero(self)


def _zero(layer: nn.Conv2d | nn.Linear) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def narrowed(channels: int, width: float) -> int:
    """Channels of a layer at this ``width``; never fewer than 8, so that the thinnest branches stay alive."""
    return max(8, round(channels * width))
