"""Local response normalisation across channels, by sums that every device repeats to the bit."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def lrn(x: Tensor, *, size: int = 5, alpha: float = 1e-4) -> Tensor:
    """``x / (1 + alpha / size * sum of squares over size neighbouring channels) ** 0.75``, N×C×H×W, ``size`` odd.

    torch's own goes through ``avg_pool3d``, whose CUDA gradient deterministic mode refuses. The exponent, 0.75 in
    every net of the paper, is by inverse roots: several times faster than a power on a CPU, and not by ``torch.sqrt``,
    which on an AMD rounds one value in six otherwise than on an Intel.
    """
    if torch.compiler.is_exporting():
        return x * _scale(x, size, alpha)[0]
    made: Tensor = Lrn.apply(x, size, alpha)
    return made


class Lrn(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, size: int, alpha: float) -> Tensor:
        scale, total = _scale(x, size, alpha)
        ctx.save_for_backward(x, scale, total)
        ctx.size, ctx.alpha = size, alpha
        return x * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        x, scale, total = ctx.saved_tensors
        direct = gradients[0] * scale
        return direct - (1.5 * ctx.alpha / ctx.size) * x * _summed(direct * x / total, ctx.size), None, None


def _scale(x: Tensor, size: int, alpha: float) -> tuple[Tensor, Tensor]:
    total = 1 + (alpha / size) * _summed(x * x, size)
    root = torch.rsqrt(total)
    return root * root * torch.rsqrt(root), total


def _summed(x: Tensor, size: int) -> Tensor:
    """Each channel's sum over the ``size`` around it."""
    channels = x.shape[1]
    padded = functional.pad(x, (0, 0, 0, 0, size // 2, size // 2))
    total = padded[:, :channels]
    for shift in range(1, size):
        total = total + padded[:, shift : shift + channels]
    return total
