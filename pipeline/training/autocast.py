"""The numbers a net computes in while it trains; its weights, its loss and their gradients are always float32."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def autocast(net: nn.Module, precision: str, device: torch.device) -> None:
    """Let ``net``, which is on ``device``, compute as runtime.precision says from now on; its scores stay float32.

    ``net`` maps an image to {head: scores} and is changed in place, its tensors' names and numbers are not.
    ``bf16``: convolutions and products take bfloat16, backward too; each weight's gradient is summed in float32.
    ``tf32`` is a flag that ``determinism.start`` sets. On CUDA both keep images channels last, as tensor cores' kernels
    take them; a CPU needs nearly twice the time that way.
    """
    if device.type == "cuda" and precision != "fp32":
        net.to(memory_format=torch.channels_last)
    if precision != "bf16":
        return
    forward = net.forward

    def cast(image: Tensor) -> dict[str, Tensor]:
        with torch.autocast(device.type, torch.bfloat16):
            scores = forward(image)
        return {head: score.float() for head, score in scores.items()}

    net.forward = cast
