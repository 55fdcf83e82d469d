"""EfficientNet-Lite0 (Tan and Le, ICML 2019; Google's variant for phones: ReLU6, no squeeze and excitation).

Batch norms are folded into the convolutions before them when published weights are read: what is trained here is
convolutions with biases.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional, grad

from pipeline.backbones.shared.layers import Conv2d, Linear, narrowed
from pipeline.backbones.shared.product import planned
from pipeline.spec import Coordinates, NetSpec

STEM, HEAD = 32, 1280  # channels
FINEST = 4  # stride
# repeats, kernel, stride, expansion, channels (efficientnet_builder.py's blocks_args of b0)
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
INPUT_SCALE = 1 / 128  # Google's net takes (RGB - 127) / 128; a power of two, so that it rounds nothing
EPSILON = 1e-3  # of the batch norms
NORM = ("running_mean", "running_var")

CHAIN: tuple[str, ...] | None = None  # ReLU6: its layers cannot be rescaled one against the next
DEPTH = 20  # of 50: residuals add up, and a random start's activations have to stay below 6
FIRST, LAST = "stem", "fc"
NATIVE_PADDING = 0
DROPPED = ("*.num_batches_tracked",)
TORCHVISION: dict[str, str] | None = None  # torchvision has only EfficientNet itself, which is another net


class Depthwise(Conv2d):
    """A filter for each channel: N×C×H×W to N×C×⌈H/stride⌉×⌈W/stride⌉, padded as TensorFlow pads an even map."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__(channels, channels, kernel, stride=stride, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        x = padded(x, kernel, stride)
        assert self.bias is not None
        if kernel == 5 and planned(x):
            made: Tensor = _FiveByFive.apply(x, self.weight, self.bias, stride)
            return made
        return functional.conv2d(x, self.weight, self.bias, stride, groups=self.groups)


class _FiveByFive(torch.autograd.Function):
    """A depthwise 5×5 convolution of a padded map, its filters' gradient by four 3×3 ones that overlap.

    oneDNN has a kernel for the gradient of depthwise 3×3 filters alone; of 5×5 ones it takes 4 times as long as these.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return functional.conv2d(x, weight, bias, stride, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        shape = (len(weight), 1, 3, 3)
        height, width = (ctx.stride * (cells - 1) + 3 for cells in gradient.shape[2:])
        filters = torch.empty_like(weight)
        for i in (0, 2):
            for j in (0, 2):
                seen = x[:, :, i : i + height, j : j + width]
                part = grad.conv2d_weight(seen, shape, gradient, ctx.stride, groups=len(weight))  # type: ignore[no-untyped-call]
                filters[:, :, i : i + 3, j : j + 3] = part
        x_grad = grad.conv2d_input(x.shape, weight, gradient, ctx.stride, groups=len(weight))  # type: ignore[no-untyped-call]
        return x_grad, filters, gradient.sum((0, 2, 3)), None


class Block(nn.Module):
    """An inverted residual: wide by a 1×1, filtered channel by channel, narrow by a 1×1 without a nonlinearity."""

    def __init__(self, channels: int, kernel: int, stride: int, expansion: int, narrow: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.window = {"kernel": kernel, "stride": stride, "padding": (kernel - stride) // 2}
        if expansion > 1:
            self.expand = Conv2d(channels, wide, 1)
        self.depthwise = Depthwise(wide, kernel, stride)
        self.project = Conv2d(wide, narrow, 1)
        self.expands, self.residual = expansion > 1, stride == 1 and channels == narrow

    def widened(self, x: Tensor) -> Tensor:
        return relu6(self.expand(x)) if self.expands else x

    def forward(self, x: Tensor, wide: Tensor) -> Tensor:
        """``x`` and what ``widened`` made of it to the block's output."""
        y: Tensor = self.project(relu6(self.depthwise(wide)))
        return x + y if self.residual else y


class _Trunk(nn.Module):
    """All convolutions, which the classifier and the pyramid share.

    A stride's features are those that the block which leaves it has widened: 6 times as many channels as lie between
    blocks, behind a ReLU6, and computed anyway. A linear score sees more in them than in the narrow ones.
    """

    def __init__(self, spec: NetSpec, padding: int) -> None:
        super().__init__()
        self.padding = padding
        wide = narrowed(STEM, spec.width)
        self.stem = Conv2d(len(spec.mean), wide, 3, stride=2)
        at = Coordinates().through(kernel=3, stride=2, padding=padding)
        self.channels: dict[int, int] = {}
        self.coordinates: dict[int, Coordinates] = {}
        self.blocks = nn.ModuleList()
        for repeats, kernel, first, expansion, published in STAGES:
            for stride in (first, *[1] * (repeats - 1)):
                block = Block(wide, kernel, stride, expansion, narrowed(published, spec.width))
                if stride == 2 and at.scale >= FINEST:
                    self.channels[int(at.scale)], self.coordinates[int(at.scale)] = wide * expansion, at
                self.blocks.append(block)
                wide, at = narrowed(published, spec.width), at.through(**block.window)
        self.head = Conv2d(wide, narrowed(HEAD, spec.width), 1)
        self.channels[32], self.coordinates[32] = self.head.out_channels, at

    def pyramid(self, x: Tensor) -> dict[int, Tensor]:
        """The widened features of strides 4, 8 and 16, and the head's."""
        x = functional.pad(x * INPUT_SCALE, (self.padding, self.padding + 2) * 2)
        x, stride, features = relu6(self.stem(x)), 2, {}
        for block in self.blocks:
            assert isinstance(block, Block)
            wide = block.widened(x)
            if block.window["stride"] == 2:
                features[stride] = wide
                stride *= 2
            x = block(x, wide)
        features[stride] = relu6(self.head(x))
        return {stride: features[stride] for stride in self.channels}


class Classifier(_Trunk):
    """The net as ImageNet trains it: N×3×crop×crop floats to N×classes logits."""

    def __init__(self, spec: NetSpec, classes: int) -> None:
        super().__init__(spec, NATIVE_PADDING)
        self.fc = Linear(self.channels[32], classes)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.pyramid(x)[32].mean((2, 3))
        logits: Tensor = self.fc(functional.dropout(pooled, 0.2, self.training))
        return logits


class Backbone(_Trunk):
    """The classifier's convolutions: N×3×H×W floats to {4: 144, 8: 240, 16: 672, 32: 1280 channels}.

    The final average pool is discarded, as of GoogLeNet in the paper (section 4.1). ``spec.padding`` pixels lie left of
    and above the image, two more right and below; 0, the classifier's own, serves every size.
    """

    def __init__(self, spec: NetSpec) -> None:
        super().__init__(spec, spec.padding)

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        return self.pyramid(x)


def relu6(x: Tensor) -> Tensor:
    """In place."""
    return functional.hardtanh_(x, 0.0, 6.0)


def padded(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Zeros around N×C×H×W so that ⌈side / stride⌉ cells come out, the odd one right and below.

    TensorFlow's SAME of an even side; of an odd one at stride 2 TensorFlow pads both sides alike, which would make
    a cell's place depend on the picture's size.
    """
    before = (kernel - stride) // 2
    return functional.pad(x, (before, kernel - 1 - before) * 2)


def folded(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Published tensors by our names, each batch norm folded into the convolution before it; strangers stay.

    y = (w·x - mean) · gain / √(variance + ε) + shift, reckoned in float64 and rounded once.
    """
    state = {name.replace("_fc.", "fc."): tensor for name, tensor in stored.items()}
    for name, (convolution, norm) in _published().items():
        parts = (f"{convolution}.weight", *(f"{norm}.{part}" for part in ("weight", "bias", *NORM)))
        if all(part in state for part in parts):
            weight, gain, shift, mean, variance = (state.pop(part).double() for part in parts)
            gain = gain * (variance + EPSILON) ** -0.5
            state[f"{name}.weight"] = (weight * gain[:, None, None, None]).float()
            state[f"{name}.bias"] = (shift - mean * gain).float()
    return state


def _published() -> dict[str, tuple[str, str]]:
    """Our layers: their convolution and batch norm as EfficientNet-PyTorch names them."""
    parts = {
        "expand": ("expand_conv", "bn0"),
        "depthwise": ("depthwise_conv", "bn1"),
        "project": ("project_conv", "bn2"),
    }
    blocks = {
        f"blocks.{i}.{ours}": (f"_blocks.{i}._{convolution}", f"_blocks.{i}._{norm}")
        for i in range(sum(repeats for repeats, *_ in STAGES))
        for ours, (convolution, norm) in parts.items()
    }
    return {"stem": ("_conv_stem", "_bn0"), **blocks, "head": ("_conv_head", "_bn1")}
