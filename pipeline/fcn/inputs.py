"""What a net sees of a sample: its columns' channels one behind the other, a depth as its logarithm."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MILLIMETRES = "depth"  # the one column that is not RGB: H×W uint16


def channels(column: str) -> int:
    """How many channels a column adds."""
    return 1 if column == MILLIMETRES else 3


def stack(images: Mapping[str, NDArray[Any]], inputs: Sequence[str], device: torch.device) -> Tensor:
    """{column: H×W×3 uint8, or H×W uint16 of millimetres} → 1×C×H×W float32, C the sum of the columns' channels.

    RGB stays in 0–255; a depth becomes ln(mm), as the authors' ``nyud_layers.py`` has it. Pixels travel to ``device``
    as bytes and become floats there: a quarter of the traffic.
    """
    return torch.cat([_channels(images[column], device) for column in inputs], 1)


def unstacked(mean: Sequence[float], inputs: Sequence[str]) -> dict[str, NDArray[Any]]:
    """A mean over the stacked channels, as the nearest pixel of each column: uint8 RGB, or uint16 millimetres."""
    pixels: dict[str, NDArray[Any]] = {}
    start = 0
    for column in inputs:
        values = np.asarray(mean[start : start + channels(column)])
        depth = column == MILLIMETRES
        pixels[column] = np.rint(np.exp(values) if depth else values).astype(np.uint16 if depth else np.uint8)
        start += channels(column)
    return pixels


def _channels(image: NDArray[Any], device: torch.device) -> Tensor:
    if image.dtype == np.uint16:
        return torch.from_numpy(np.log(image.astype(np.float32))).to(device)[None, None]
    pixels = torch.from_numpy(image).to(device).permute(2, 0, 1).unsqueeze(0)
    return pixels.to(torch.float32, memory_format=torch.contiguous_format)
