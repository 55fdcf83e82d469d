"""GoogLeNet (Szegedy et al.) as BVLC trained it and the paper took it: no auxiliary heads, no batch norm."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.backbones.shared.layers import Conv2d, Linear, lrn, narrowed
from pipeline.spec import Coordinates, NetSpec

# channels of: 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool projection (bvlc_googlenet/train_val.prototxt)
INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
STAGES = {8: ("3a", "3b"), 16: ("4a", "4b", "4c", "4d", "4e"), 32: ("5a", "5b")}  # stride -> inceptions at it

CHAIN: tuple[str, ...] | None = None  # branches and LRN: its layers cannot be rescaled one against the next
DEPTH = 22
FIRST, LAST = "conv1.7x7_s2", "loss3.classifier"
NATIVE_PADDING = 3
DROPPED = ("loss1.*", "loss2.*")  # the auxiliary classifiers of the published file
TORCHVISION: dict[str, str] | None = None  # torchvision's is another net: batch norm, 3×3 for 5×5, a 2×2 pool


class Inception(nn.ModuleDict):
    """Four branches side by side; Caffe's layer names are the keys."""

    def __init__(self, channels: int, branches: tuple[int, int, int, int, int, int], width: float) -> None:
        one, reduce3, three, reduce5, five, pool = (narrowed(wide, width) for wide in branches)
        super().__init__(
            {
                "1x1": Conv2d(channels, one, 1),
                "3x3_reduce": Conv2d(channels, reduce3, 1),
                "3x3": Conv2d(reduce3, three, 3, padding=1),
                "5x5_reduce": Conv2d(channels, reduce5, 1),
                "5x5": Conv2d(reduce5, five, 5, padding=2),
                "pool_proj": Conv2d(channels, pool, 1),
            }
        )
        self.channels = one + three + five + pool

    def forward(self, x: Tensor) -> Tensor:
        three = functional.relu_(self["3x3_reduce"](x))
        five = functional.relu_(self["5x5_reduce"](x))
        pool = functional.max_pool2d(x, 3, 1, 1)
        return functional.relu_(
            torch.cat((self["1x1"](x), self["3x3"](three), self["5x5"](five), self["pool_proj"](pool)), 1)
        )


class _Trunk(nn.Module):
    """All convolutions, which the classifier and the pyramid share; all pools are 3×3/2 and round up."""

    def __init__(self, spec: NetSpec, padding: int) -> None:
        super().__init__()
        stem, wide = narrowed(64, spec.width), narrowed(192, spec.width)
        first = Conv2d(len(spec.mean), stem, 7, stride=2, padding=padding)
        self.conv1 = nn.ModuleDict({"7x7_s2": first})
        self.conv2 = nn.ModuleDict({"3x3_reduce": Conv2d(stem, stem, 1), "3x3": Conv2d(stem, wide, 3, padding=1)})
        self.channels: dict[int, int] = {}
        self.coordinates: dict[int, Coordinates] = {}
        at = Coordinates().through(kernel=7, stride=2, padding=padding).through(kernel=3, stride=2)
        for stride, names in STAGES.items():
            at = at.through(kernel=3, stride=2)
            for name in names:
                inception = Inception(wide, INCEPTIONS[name], spec.width)
                self.add_module(f"inception_{name}", inception)
                wide = inception.channels
            self.channels[stride], self.coordinates[stride] = wide, at

    def pyramid(self, x: Tensor) -> dict[int, Tensor]:
        """The last inception of each stride."""
        x = lrn(_pool(functional.relu_(self.conv1["7x7_s2"](x))))
        x = functional.relu_(self.conv2["3x3_reduce"](x))
        x = lrn(functional.relu_(self.conv2["3x3"](x)))
        features = {}
        for stride, names in STAGES.items():
            x = _pool(x)
            for name in names:
                x = self.get_submodule(f"inception_{name}")(x)
            features[stride] = x
        return features


class Classifier(_Trunk):
    """The net as ImageNet trains it: N×3×crop×crop floats to N×classes logits."""

    def __init__(self, spec: NetSpec, classes: int) -> None:
        super().__init__(spec, NATIVE_PADDING)
        self.loss3 = nn.ModuleDict({"classifier": Linear(self.channels[32], classes)})

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.pyramid(x)[32].mean((2, 3))
        logits: Tensor = self.loss3["classifier"](functional.dropout(pooled, 0.4, self.training))
        return logits


class Backbone(_Trunk):
    """The classifier's convolutions: N×3×H×W floats to {8: inception_3b, 16: inception_4e, 32: inception_5b}.

    The final average pool is discarded, as in the paper (section 4.1). ``spec.padding`` is the first convolution's;
    the classifier's own 3 pixels serve every size from 32 px up.
    """

    def __init__(self, spec: NetSpec) -> None:
        super().__init__(spec, spec.padding)

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        return self.pyramid(x)


def _pool(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 3, 2, ceil_mode=True)
