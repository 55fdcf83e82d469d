"""Layers that are born zero: weights come from surgery, never from a global generator."""

from __future__ import annotations

from torch import nn


class Conv2d(nn.Conv2d):
    """A convolution that starts at zero, as Caffe's default filler leaves it and as new score layers need it."""

    def reset_parameters(self) -> None:
        _zero(self)


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
