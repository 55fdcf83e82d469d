"""CaffeNet, which is the paper's AlexNet: BVLC's reference net, with every local normalisation behind its pool.

torchvision's ``alexnet`` is another net (Krizhevsky's "one weird trick": 64, 192, 384, 256, 256 channels, no groups, no
normalisation), so that its weights have no place here.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.backbones.shared.layers import Conv2d, Linear, Sliding, lrn, narrowed
from pipeline.core.types import Refusal
from pipeline.spec import Coordinates, NetSpec

NATIVE_PADDING = 0
# channels, kernel, stride, padding, groups (bvlc_reference_caffenet/deploy.prototxt)
CONVOLUTIONS = {
    "conv1": (96, 11, 4, NATIVE_PADDING, 1),
    "conv2": (256, 5, 1, 2, 2),
    "conv3": (384, 3, 1, 1, 1),
    "conv4": (384, 3, 1, 1, 2),
    "conv5": (256, 3, 1, 1, 2),
}
STAGES = {8: ("conv1",), 16: ("conv2",), 32: ("conv3", "conv4", "conv5")}  # a 3×3/2 pool brings each to its stride
NORMALISED = (8, 16)  # norm1, norm2
FC = 4096

CHAIN: tuple[str, ...] | None = None  # LRN: its layers cannot be rescaled one against the next
DEPTH = 8
FIRST, LAST = "conv1", "fc8"
DROPPED: tuple[str, ...] = ()  # layers of published files that no net here has
TORCHVISION: dict[str, str] | None = None  # torchvision's is another net, see above


class _Trunk(nn.Module):
    """conv1 to pool5, which the classifier and the pyramid share; all pools round up, as Caffe's do."""

    def __init__(self, spec: NetSpec, padding: int) -> None:
        super().__init__()
        self.window = pool5(spec.crop)
        self.channels: dict[int, int] = {}
        self.coordinates: dict[int, Coordinates] = {}
        channels, at = len(spec.mean), Coordinates()
        for stride, names in STAGES.items():
            for name in names:
                published, kernel, step, margin, groups = CONVOLUTIONS[name]
                margin = padding if name == FIRST else margin
                wide = 2 * narrowed(published // 2, spec.width)  # so that two groups share them at any width
                self.add_module(name, Conv2d(channels, wide, kernel, stride=step, padding=margin, groups=groups))
                channels, at = wide, at.through(kernel=kernel, stride=step, padding=margin)
            at = at.through(kernel=3, stride=2)
            self.channels[stride], self.coordinates[stride] = channels, at

    def pyramid(self, x: Tensor) -> dict[int, Tensor]:
        """{8: norm1, 16: norm2, 32: pool5}."""
        features = {}
        for stride, names in STAGES.items():
            for name in names:
                x = functional.relu_(self.get_submodule(name)(x))
            x = functional.max_pool2d(x, 3, 2, ceil_mode=True)
            features[stride] = x = lrn(x) if stride in NORMALISED else x
        return features


class Classifier(_Trunk):
    """The net as ImageNet trains it: N×3×crop×crop floats to N×classes logits, with fully connected layers."""

    def __init__(self, spec: NetSpec, classes: int) -> None:
        super().__init__(spec, NATIVE_PADDING)
        fc = narrowed(FC, spec.width)
        self.fc6 = Linear(self.channels[32] * self.window**2, fc)
        self.fc7 = Linear(fc, fc)
        self.fc8 = Linear(fc, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.flatten(self.pyramid(x)[32], 1)
        x = functional.dropout(functional.relu_(self.fc6(x)), 0.5, self.training)
        x = functional.dropout(functional.relu_(self.fc7(x)), 0.5, self.training)
        logits: Tensor = self.fc8(x)
        return logits


class Backbone(_Trunk):
    """The convolutionalized net: N×3×H×W floats to {8: norm1, 16: norm2, 32: fc7}.

    The authors released no finer net than stride 32; skips here see what the next convolution sees. ``spec.padding``
    pixels around the image (the authors' 100) leave every image at least one cell of fc6. Dropout is element-wise, as
    Caffe's is, and drawn from torch's global generator: the solver reseeds it at every iteration.
    """

    def __init__(self, spec: NetSpec) -> None:
        super().__init__(spec, spec.padding)
        fc = narrowed(FC, spec.width)
        self.fc6 = Sliding(self.channels[32], fc, self.window)
        self.fc7 = Sliding(fc, fc, 1)
        self.channels[32], self.coordinates[32] = fc, self.coordinates[32].through(kernel=self.window)

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        pyramid = self.pyramid(x)
        fc6 = functional.dropout(functional.relu_(self.fc6(pyramid[32])), 0.5, self.training)
        pyramid[32] = functional.dropout(functional.relu_(self.fc7(fc6)), 0.5, self.training)
        return pyramid


def pool5(crop: int) -> int:
    """Cells along either axis of pool5, and so of fc6's window, for the classifier's input of ``crop`` pixels.

    6 for CaffeNet's own 227 and as well for 224, which a manifest of its published weights has to say: crops of nets
    here are multiples of 32. Raises Refusal where nothing is left.
    """
    cells = crop
    for names in STAGES.values():
        for name in names:
            _, kernel, stride, padding, _ = CONVOLUTIONS[name]
            cells = (cells + 2 * padding - kernel) // stride + 1
        cells = -(-(cells - 3) // 2) + 1
    if cells < 1:
        raise Refusal(f"a crop of {crop} px leaves nothing of alexnet's pool5: make it 64 or more")
    return cells
