"""Layers that are born zero: weights come from surgery, never from a global generator; and normalisation."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.backbones.shared import winograd
from pipeline.backbones.shared.product import planned, product


class Conv2d(nn.Conv2d):
    """A convolution that starts at zero, as Caffe's default filler leaves it and as new score layers need it.

    On a CPU it takes whatever gives the same bytes on every maker's processor: ``winograd`` for wide 3×3 ones over
    large maps, oneDNN's direct kernels, or the product of the weight with the unfolded map.
    """

    def forward(self, x: Tensor) -> Tensor:
        assert not isinstance(self.padding, str)
        padding = self.padding
        if not planned(x):
            return super().forward(x)
        if self.groups == 1 and winograd.pays(x, self.weight, self.stride, padding):
            made: Tensor = winograd.Winograd.apply(x, self.weight, self.bias)
            return made
        if max(padding) >= self.kernel_size[0]:  # oneDNN's direct kernels pad by less
            x, padding = functional.pad(x, (padding[1], padding[1], padding[0], padding[0])), (0, 0)
        if self._direct(x):
            return functional.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation)
        return self._unfolded(x, padding)

    def _direct(self, x: Tensor) -> bool:
        """Whether torch gives this one to oneDNN's direct AVX2 kernels, which sum in an order of the shapes alone.

        Kernels of 1×1, of thin groups, and for the input's gradient at a stride ask for the size of the caches; small
        maps torch computes by MKL.
        """
        plain = self.groups == 1 and (self.stride == (1, 1) or not x.requires_grad)
        return plain and (self.kernel_size[0] > 3 or (self.kernel_size[0] > 1 and x.numel() > 20480))

    def _unfolded(self, x: Tensor, padding: tuple[int, ...]) -> Tensor:
        kernel, dilation, stride = self.kernel_size, self.dilation, self.stride
        height, width = (
            (side + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1) // stride[axis] + 1
            for axis, side in enumerate(x.shape[2:])
        )
        if kernel == stride == (1, 1) and padding == (0, 0):
            cells = x.flatten(2)
        else:
            cells = functional.unfold(x, kernel, dilation, padding, stride)
        weight = self.weight.flatten(1)
        if self.groups == 1:
            maps = product(weight, cells)
        else:
            maps = torch.cat(list(map(product, weight.chunk(self.groups), cells.chunk(self.groups, 1))), 1)
        if self.bias is not None:
            maps = maps + self.bias.unsqueeze(1)
        return maps.view(len(x), -1, height, width)

    def reset_parameters(self) -> None:
        _zero(self)


class Sliding(Conv2d):
    """A fully connected layer that slides over a map without padding: N×C×h×w to N×C'×h'×w'.

    On a CPU always the product of its weight as it lies there with the unfolded map: torch's convolution reorders a
    copy of fc6's 411 MB at every pass.
    """

    def _direct(self, x: Tensor) -> bool:
        return False


class Linear(nn.Linear):
    """A fully connected layer that starts at zero."""

    def forward(self, x: Tensor) -> Tensor:
        return product(x, self.weight.T) + self.bias if planned(x) else super().forward(x)

    def reset_parameters(self) -> None:
        _zero(self)


def _zero(layer: nn.Conv2d | nn.Linear) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def narrowed(channels: int, width: float) -> int:
    """Channels of a layer at this ``width``; never fewer than 8, so that the thinnest branches stay alive."""
    return max(8, round(channels * width))


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
