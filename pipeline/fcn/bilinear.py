"""Bilinear upsampling and its crop as two matrix products: the authors' numbers, repeatable on a device."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipeline.backbones.shared.product import product


def upsample_filter(kernel: int) -> npt.NDArray[np.float64]:
    """One axis of the authors' bilinear kernel (``surgery.py:upsample_filt`` is the outer product of two)."""
    factor = (kernel + 1) // 2
    centre = factor - 1 if kernel % 2 else factor - 0.5
    weights: npt.NDArray[np.float64] = 1 - np.abs(np.arange(kernel) - centre) / factor
    return weights


@lru_cache(maxsize=512)  # two per image size and head: at most 0.3 MB each at the paper's sizes
def matrix(
    cells: int, size: int, stride: int, kernel: int, offset: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """``size``×``cells``: one axis of the transposed convolution, its rows cropped to [offset, offset + size)."""
    taps = np.arange(offset, offset + size)[:, None] - stride * np.arange(cells)[None, :]
    inside = (taps >= 0) & (taps < kernel)
    weights = np.where(inside, upsample_filter(kernel)[np.where(inside, taps, 0)], 0.0)
    with torch.inference_mode(False):  # a matrix first made while predicting may serve training later
        return torch.from_numpy(weights).to(device=device, dtype=dtype, copy=True)


def upscore(x: Tensor, height: int, width: int, *, stride: int, kernel: int, offset: int) -> Tensor:
    """N×C×h×w scores, upsampled bilinearly by ``stride``, cropped to ``height``×``width`` from (offset, offset).

    Equals a fixed per-channel ``ConvTranspose2d(kernel, stride)`` and the crop, without computing what is cropped
    away. Every output is a sum of at most four products; a part of the map may differ from the whole by its last bit.
    """
    n, channels, h, w = x.shape
    rows = matrix(h, height, stride, kernel, offset, x.dtype, x.device)
    columns = matrix(w, width, stride, kernel, offset, x.dtype, x.device)
    wide = product(x.reshape(n * channels * h, w), columns.T)
    maps = product(rows, wide.view(n * channels, h, width))
    return maps.view(n, channels, height, width)
