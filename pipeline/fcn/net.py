"""The fully convolutional net: a backbone's pyramid, scored, upsampled and fused to one score per pixel."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline import plugins
from pipeline.backbones._coordinates import Coordinates
from pipeline.backbones._layers import Conv2d
from pipeline.fcn import checkpoint
from pipeline.fcn.bilinear import upscore
from pipeline.fcn.spec import NetSpec
from pipeline.types import Refusal

COARSEST = 32


class Head(nn.Module):
    """Scores of one label map: 1×1 classifiers on the strides from 32 to ``stride``, fused from coarse to fine.

    Layers are the authors': ``score_fr`` on stride 32, ``score_pool4`` on 16, ``score_pool3`` on 8; for GoogLeNet,
    which has no pool4 there, the names mean the strides. All start at zero (section 4.2: a new skip begins by
    changing nothing). Upsampling is fixed bilinear; the authors found no gain in learning it.
    """

    def __init__(
        self, channels: dict[int, int], coordinates: dict[int, Coordinates], classes: int, stride: int
    ) -> None:
        super().__init__()
        self.score_fr = Conv2d(channels[COARSEST], classes, 1)
        self.skips = [fine for fine in sorted(channels, reverse=True) if stride <= fine < COARSEST]
        self.steps = []
        at = coordinates[COARSEST]
        for fine in self.skips:
            self.add_module(_skip(fine), Conv2d(channels[fine], classes, 1))
            step = at.onto(coordinates[fine])
            self.steps.append(step)
            at = coordinates[fine].through(kernel=1, padding=step.offset - step.start)
        self.final = at.onto(Coordinates())
        if self.final.offset < 0:
            raise Refusal(
                f"the scores begin {-self.final.offset} px inside the image: add that to backbones.<key>.padding"
            )

    def forward(self, pyramid: dict[int, Tensor], height: int, width: int) -> Tensor:
        """{stride: N×C×h×w features} to N×classes×height×width scores."""
        scores: Tensor = self.score_fr(pyramid[COARSEST])
        for fine, step in zip(self.skips, self.steps, strict=True):
            skip = self.get_submodule(_skip(fine))(pyramid[fine])
            h, w = (step.overlap(scores.shape[axis], skip.shape[axis]) for axis in (2, 3))
            first = step.start - step.offset  # the skip's cell under the first cell both have
            fused = upscore(scores, h, w, stride=step.stride, kernel=step.kernel, offset=step.start)
            scores = fused + skip[:, :, first : first + h, first : first + w]
        last = self.final
        if last.length(scores.shape[2]) < last.offset + height or last.length(scores.shape[3]) < last.offset + width:
            raise Refusal(f"the scores do not reach the edge of an image of {width}×{height} px: raise the padding")
        return upscore(scores, height, width, stride=last.stride, kernel=last.kernel, offset=last.offset)


class FCN(nn.Module):
    """A backbone with one ``Head`` per label map; zero until surgery gives it weights.

    Tensors are named by the layers: ``backbone.conv1_1.weight``, ``semantic.score_fr.weight``, …
    Raises Refusal for a stride that the backbone has no features of.
    """

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        if spec.crop % 32:
            raise Refusal(f"crop is {spec.crop} px: make it a multiple of 32, the stride of the coarsest map")
        self.spec = spec
        self.backbone = plugins.load("backbones", spec.backbone).Backbone(spec)
        channels, coordinates = self.backbone.channels, self.backbone.coordinates
        if spec.stride not in channels:
            raise Refusal(f"{spec.backbone} has no features of stride {spec.stride}: choose one of {sorted(channels)}")
        for name, label in spec.heads.items():
            if hasattr(self, name):
                raise Refusal(f"a head cannot be called {name!r}, a word the net uses itself: rename the label column")
            self.add_module(name, Head(channels, coordinates, len(label.classes), spec.stride))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """N×3×H×W float RGB in 0–255 minus ``spec.mean`` to {head: N×C×H×W scores}."""
        pyramid = self.backbone(image)
        height, width = image.shape[2:]
        return {name: self.get_submodule(name)(pyramid, height, width) for name in self.spec.heads}


def build(path: Path) -> FCN:
    """The net a checkpoint holds, on the CPU, in evaluation mode; Refusal where weights and spec disagree."""
    spec, tensors = checkpoint.load(path)
    with torch.device("meta"):
        net = FCN(spec)
    try:
        net.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise Refusal(f"{path} is not the weights of the net it describes ({reason[:200]}…): train it again") from None
    return net.eval()


def _skip(stride: int) -> str:
    return f"score_pool{stride.bit_length() - 1}"  # pool4 has stride 2⁴
