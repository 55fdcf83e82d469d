"""Local response normalisation across channels, by sums that CUDA repeats to the bit."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def lrn(x: Tensor, *, size: int = 5, alpha: float = 1e-4) -> Tensor:
    """``x / (1 + alpha / size * sum of squares over size neighbouring channels) ** 0.75``, N×C×H×W.

    torch's own goes through ``avg_pool3d``, whose CUDA gradient deterministic mode refuses. The exponent, 0.75 in
    every net of the paper, is two inverse roots: several times faster than a power on a CPU.
    """
    channels, half = x.shape[1], size // 2
    squares = functional.pad(x * x, (0, 0, 0, 0, half, half))
    total = squares[:, :channels]
    for shift in range(1, size):
        total = total + squares[:, shift : shift + channels]
    root = torch.rsqrt(1 + (alpha / size) * total)
    return x * (root * torch.sqrt(root))
