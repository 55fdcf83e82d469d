"""VGG16 (Simonyan and Zisserman, configuration D): the ImageNet classifier and the pyramid it becomes."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.backbones.shared.layers import Conv2d, Linear, Sliding, narrowed
from pipeline.spec import Coordinates, NetSpec

BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))  # (convolutions, channels); a 2×2 pool ends each
FC = 4096
CONVOLUTIONS = tuple(f"conv{block}_{i}" for block, (n, _) in enumerate(BLOCKS, 1) for i in range(1, n + 1))

CHAIN = (*CONVOLUTIONS, "fc6", "fc7", "fc8")  # every weight layer, in the order data takes
DEPTH = 16
FIRST, LAST = "conv1_1", "fc8"
NATIVE_PADDING = 1
DROPPED: tuple[str, ...] = ()  # layers of published files that no net here has

_FEATURES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
_PLACES = (*(f"features.{i}" for i in _FEATURES), *(f"classifier.{i}" for i in (0, 3, 6)))
TORCHVISION: dict[str, str] | None = {
    f"{place}.{part}": f"{name}.{part}"
    for place, name in zip(_PLACES, CHAIN, strict=True)
    for part in ("weight", "bias")
}


class _Trunk(nn.Module):
    """conv1_1 to pool5, which the classifier and the pyramid share; all pools round up, as Caffe's do."""

    def __init__(self, spec: NetSpec, padding: int) -> None:
        super().__init__()
        self.padding = padding
        self.pooled: dict[int, tuple[int, Coordinates]] = {}  # stride -> channels, coordinates
        channels, at, stride = len(spec.mean), Coordinates(), 1
        for block, (depth, wide) in enumerate(BLOCKS, 1):
            for i in range(1, depth + 1):
                first = (block, i) == (1, 1)  # padded by ``pools``: a convolution that pads rounds otherwise
                layer = Conv2d(channels, narrowed(wide, spec.width), 3, padding=0 if first else 1)
                self.add_module(f"conv{block}_{i}", layer)
                channels, at = layer.out_channels, at.through(kernel=3, padding=padding if first else 1)
            stride, at = 2 * stride, at.through(kernel=2, stride=2)
            self.pooled[stride] = (channels, at)

    def pools(self, image: Tensor) -> Iterator[tuple[int, Tensor]]:
        """(2, pool1) … (32, pool5)."""
        x = functional.pad(image, (self.padding,) * 4)
        for block, (depth, _) in enumerate(BLOCKS, 1):
            for i in range(1, depth + 1):
                x = functional.relu_(self.get_submodule(f"conv{block}_{i}")(x))
            x = functional.max_pool2d(x, 2, 2, ceil_mode=True)
            yield 2**block, x


class Classifier(_Trunk):
    """The net as ImageNet trains it: N×3×crop×crop floats to N×classes logits, with fully connected layers."""

    def __init__(self, spec: NetSpec, classes: int) -> None:
        super().__init__(spec, NATIVE_PADDING)
        fc = narrowed(FC, spec.width)
        self.fc6 = Linear(self.pooled[32][0] * (spec.crop // 32) ** 2, fc)
        self.fc7 = Linear(fc, fc)
        self.fc8 = Linear(fc, classes)

    def forward(self, x: Tensor) -> Tensor:
        for _, pool in self.pools(x):
            x = pool
        x = functional.dropout(functional.relu_(self.fc6(torch.flatten(x, 1))), 0.5, self.training)
        x = functional.dropout(functional.relu_(self.fc7(x)), 0.5, self.training)
        logits: Tensor = self.fc8(x)
        return logits


class Backbone(_Trunk):
    """The convolutionalized net: N×3×H×W floats to {4: pool2, 8: pool3, 16: pool4, 32: fc7}.

    ``spec.padding`` pixels around the image (the authors' 100) leave every image at least one cell of fc6, whose
    window is ``crop / 32`` cells. Dropout is element-wise, as Caffe's is, and drawn from torch's global generator:
    the solver reseeds it at every iteration.
    """

    def __init__(self, spec: NetSpec) -> None:
        super().__init__(spec, spec.padding)
        fc, kernel = narrowed(FC, spec.width), spec.crop // 32
        self.fc6 = Sliding(self.pooled[32][0], fc, kernel)
        self.fc7 = Sliding(fc, fc, 1)
        self.channels = {**{stride: self.pooled[stride][0] for stride in (4, 8, 16)}, 32: fc}
        self.coordinates = {stride: self.pooled[stride][1] for stride in (4, 8, 16)}
        self.coordinates[32] = self.pooled[32][1].through(kernel=kernel)

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        pyramid = {stride: pool for stride, pool in self.pools(x) if stride >= 4}
        fc6 = functional.dropout(functional.relu_(self.fc6(pyramid[32])), 0.5, self.training)
        pyramid[32] = functional.dropout(functional.relu_(self.fc7(fc6)), 0.5, self.training)
        return pyramid
