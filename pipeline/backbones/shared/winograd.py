"""3×3 convolutions with a quarter of the multiplications: F(4×4, 3×3) of Lavin and Gray (CVPR 2016, section 4)."""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.backbones.shared.product import multiply

TILE, PATCH = 4, 6  # a tile of outputs and the inputs it sees, along either axis
CELLS = 400  # of the smallest map that pays for transforming the filters
# Of one axis: input patch, filter and tile; a plane's is the product with itself. Interpolated at 0, ±c, ±1/c and ∞, as
# Alam et al. propose (ACM TECS 2022): c = 2/3 rounds less than half as much as Lavin and Gray's 0, ±1, ±2 and ∞.
B = (  # in 36ths
    (36, 0, -97, 0, 36, 0),
    (0, -54, -81, 24, 36, 0),
    (0, 54, -81, -24, 36, 0),
    (0, -24, -16, 54, 36, 0),
    (0, 24, -16, -54, 36, 0),
    (0, 36, 0, -97, 0, 36),
)
G = ((130, 0, 0), (-81, -54, -36), (-81, 54, -36), (16, 24, 36), (16, -24, 36), (0, 0, 130))  # in 130ths
A = (  # in 216ths
    (216, 216, 216, 216, 216, 0),
    (0, 144, -144, 324, -324, 0),
    (0, 96, 96, 486, 486, 0),
    (0, 64, -64, 729, -729, 216),
)


def pays(x: Tensor, weight: Tensor, stride: tuple[int, ...], padding: tuple[int, ...] | str) -> bool:
    """Whether the convolution is one of these and takes less time this way; a pure function of shapes.

    Measured on one core with AVX2, forward and backward, times as fast as oneDNN's: 64 → 64 channels 0.8, 64 → 128 1.5,
    128 → 128 1.3, 256 → 256 2.1, 512 → 512 3.0; on a map of 36×44 2.0.
    """
    wide, deep, *kernel = weight.shape
    fits = (kernel, tuple(stride), tuple(padding)) == ([3, 3], (1, 1), (1, 1))
    return fits and deep >= 64 and wide >= 128 and x.shape[2] * x.shape[3] >= CELLS


@lru_cache
def planes(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """36×36, 36×9 and 16×36: what a patch, a filter and the products become, row by row."""
    with torch.inference_mode(False):
        b, g, a = (torch.tensor(axis, dtype=torch.float64) / unit for axis, unit in ((B, 36), (G, 130), (A, 216)))
        b, g, a = (torch.kron(axis, axis).to(dtype) for axis in (b, g, a))
    return b, g, a


class Winograd(torch.autograd.Function):
    """A 3×3 convolution with padding 1 of N×C×H×W, as 36 matrix products over all tiles of the map.

    Works on channels that lie together and gives them so. About a digit less exact than the sum of nine products.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        b, g, a = planes(x.dtype)
        patches = multiply(b, cut(x, PATCH, 1).flatten(1)).view(PATCH**2, -1, x.shape[1])
        filters = multiply(g, weight.view(-1, 9).T).view(PATCH**2, *weight.shape[:2])
        products = multiply(patches, filters.mT)
        ctx.save_for_backward(patches, filters)
        ctx.shape = x.shape
        return pasted(multiply(a, products.flatten(1)).view(TILE**2, -1, len(weight)), x.shape) + bias.view(-1, 1, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        (gradient,) = gradients
        patches, filters = ctx.saved_tensors
        b, g, a = planes(gradient.dtype)
        products = multiply(a.T, cut(gradient, TILE, 0).flatten(1)).view(PATCH**2, -1, gradient.shape[1])
        weight = multiply(multiply(products.mT, patches).flatten(1).T, g).view(*filters.shape[1:], 3, 3)
        x = None
        if ctx.needs_input_grad[0]:
            seen = multiply(b.T, multiply(products, filters).flatten(1)).view(PATCH**2, -1, filters.shape[2])
            x = summed(seen, ctx.shape)
        return x, weight, gradient.sum((0, 2, 3))


def cut(x: Tensor, side: int, margin: int) -> Tensor:
    """side²×tiles×C: of N×C×H×W the square of ``side`` cells from ``margin`` before each tile on, zero outside."""
    channels, height, width = x.shape[1:]
    rows, columns = -(-height // TILE), -(-width // TILE)
    below, right = (TILE * tiles + side - TILE - margin - cells for tiles, cells in ((rows, height), (columns, width)))
    maps = functional.pad(x.permute(0, 2, 3, 1), (0, 0, margin, right, margin, below))
    squares = maps.unfold(1, side, TILE).unfold(2, side, TILE)  # N×rows×columns×C×side×side
    return squares.permute(4, 5, 0, 1, 2, 3).reshape(side**2, -1, channels)


def pasted(tiles: Tensor, shape: torch.Size) -> Tensor:
    """N×C×H×W of tile²×tiles×C."""
    n, _, height, width = shape
    rows, columns = -(-height // TILE), -(-width // TILE)
    maps = tiles.view(TILE, TILE, n, rows, columns, -1).permute(2, 3, 0, 4, 1, 5)
    return maps.reshape(n, TILE * rows, TILE * columns, -1)[:, :height, :width].permute(0, 3, 1, 2)


def summed(patches: Tensor, shape: torch.Size) -> Tensor:
    """N×C×H×W: the sum of overlapping patches, of which those outside are dropped."""
    n, channels, height, width = shape
    rows, columns = -(-height // TILE), -(-width // TILE)
    total = patches.new_zeros(n, TILE * rows + 4, TILE * columns + 4, channels)
    for down, line in enumerate(patches.view(PATCH, PATCH, n, rows, columns, channels)):
        for across, cells in enumerate(line):
            total[:, down : down + TILE * rows : TILE, across : across + TILE * columns : TILE] += cells
    return total[:, 1 : height + 1, 1 : width + 1].permute(0, 3, 1, 2)
