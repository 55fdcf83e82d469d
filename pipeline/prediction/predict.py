"""Label every pixel of every image of a split, one image at a time, at the image's own resolution.

``Dense`` scores a VGG16 FCN-32s at every eighth pixel without training: à trous (section 3.2).
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from pipeline.core.types import Refusal
from pipeline.fcn import inputs
from pipeline.fcn.bilinear import upscore
from pipeline.fcn.net import COARSEST, FCN
from pipeline.shards.reader import Example
from pipeline.spec import Coordinates, NetSpec

Pixels = NDArray[np.uint8]
STRIDE = 8  # pools beyond it lose their stride, and what follows them is dilated


def predict(
    net: nn.Module, spec: NetSpec, examples: Iterable[Example], device: torch.device
) -> Iterator[tuple[Example, dict[str, Pixels]]]:
    """Yield each example with its predicted label map (H×W uint8 class indices) per head.

    ``net`` maps 1×C×H×W floats, ``spec``'s inputs minus its mean, to {head: 1×classes×H×W scores}; it is moved to
    ``device`` and set to evaluation: no dropout.

    Raises Refusal naming the image where a score is not a number: such a net would pass for one that sees background.
    """
    net.to(device).eval()
    mean = torch.tensor(spec.mean, dtype=torch.float32, device=device).view(1, -1, 1, 1)
    for example in examples:
        with torch.inference_mode():  # around each image: a generator would leak the mode to its caller at the yield
            image = inputs.stack(example.images, spec.inputs, device) - mean
            labels = {head: _best(score, example.id) for head, score in net(image).items()}
        yield example, labels


def _best(score: torch.Tensor, name: str) -> Pixels:
    """The best class per pixel, the first of equals; ``max`` takes a quarter of argmax's time on a CPU."""
    best, label = score.max(1)  # a NaN anywhere wins
    if bool(best.isnan().any()):
        raise Refusal(f"{name}: the net's scores are not numbers, its training has diverged: lower solver.lr")
    pixels: Pixels = label[0].to(torch.uint8).cpu().numpy()
    return pixels


class Dense(nn.Module):
    """``net`` with its last two pools at stride 1: scores of the same filters, with the same receptive fields, at a
    stride of 8 pixels instead of 32, upsampled bilinearly.

    The paper describes it, found that it trades the receptive field's reach for nothing that skips do not give better,
    and did not use it. Raises Refusal for a net that is not an FCN-32s of VGG16.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        if not isinstance(net, FCN) or (net.spec.backbone, net.spec.stride) != ("vgg16", COARSEST):
            raise Refusal("only an FCN-32s of VGG16 can be scored densely: finer nets have skips instead")
        self.net = net
        self.spec = net.spec
        coarse = net.backbone.coordinates[COARSEST]
        self.final = Coordinates(scale=Fraction(STRIDE), shift=coarse.shift).onto(Coordinates())

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """As ``FCN``'s."""
        height, width = image.shape[2:]
        features = self.features(image)
        scores = {name: self.net.get_submodule(name).score_fr(features) for name in self.spec.heads}  # type: ignore[operator]
        last = self.final
        return {
            name: upscore(score, height, width, stride=last.stride, kernel=last.kernel, offset=last.offset)
            for name, score in scores.items()
        }

    def features(self, image: Tensor) -> Tensor:
        """N×C×h×w: fc7 at every eighth pixel; cell 4i is the net's own cell i."""
        x, stride, hole = functional.pad(image, (self.net.backbone.padding,) * 4), 1, 1
        for name, layer in self.net.backbone.named_children():
            if name == "fc6" or (name != "conv1_1" and name.endswith("_1")):
                x, stride, hole = _pooled(x, stride, hole)
            padding = [side * hole for side in layer.padding]
            x = functional.relu_(functional.conv2d(x, layer.weight, layer.bias, padding=padding, dilation=hole))
        return x


def _pooled(x: Tensor, stride: int, hole: int) -> tuple[Tensor, int, int]:
    """A 2×2 pool: with its stride up to ``STRIDE``, afterwards without, so that holes double instead."""
    if stride < STRIDE:
        return functional.max_pool2d(x, 2, 2, ceil_mode=True), 2 * stride, hole
    return functional.max_pool2d(x, 2, 1, dilation=hole), stride, 2 * hole
