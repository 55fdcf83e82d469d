"""The fully convolutional net: a backbone's pyramid, scored, upsampled and fused to one score per pixel."""

from itertools import accumulate
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.backbones.shared.layers import Conv2d
from pipeline.backbones.shared.product import planned, product
from pipeline.core import plugins
from pipeline.core.types import Refusal
from pipeline.fcn.bilinear import upsample_filter, upscore
from pipeline.fcn.inputs import channels
from pipeline.spec import Coordinates, NetSpec, Upsampling
from pipeline.weights import checkpoint

COARSEST = 32


class Head(nn.Module):
    """Scores of one label map: 1×1 classifiers on the strides from 32 to ``spec.stride``, fused from coarse to fine.

    Layers are the authors': ``score_fr`` on stride 32, ``score_pool4`` on 16, ``score_pool3`` on 8; for GoogLeNet,
    which has no pool4 there, the names mean the strides. All start at zero (section 4.2: a new skip begins by
    changing nothing). Upsampling to the next stride is fixed bilinear or, as ``upscore16``, ``upscore8`` to that
    stride, learned; to the pixels it is fixed.
    """

    def __init__(
        self, spec: NetSpec, channels: dict[int, int], coordinates: dict[int, Coordinates], classes: int
    ) -> None:
        super().__init__()
        self.score_fr = Conv2d(channels[COARSEST], classes, 1)
        self.skips = [fine for fine in sorted(channels, reverse=True) if spec.stride <= fine < COARSEST]
        self.scales = spec.skip_scales or (1.0,) * len(self.skips)
        if len(self.scales) != len(self.skips):
            raise Refusal(f"skip_scales are {len(self.scales)} but stride {spec.stride} has {len(self.skips)} skips")
        self.learned, self.fuse = spec.upsampling == "learned", torch.add if spec.fusion == "sum" else torch.maximum
        self.steps = []
        at = coordinates[COARSEST]
        for fine in self.skips:
            self.add_module(_skip(fine), Conv2d(channels[fine], classes, 1))
            step = at.onto(coordinates[fine])
            if self.learned:
                self.add_module(f"upscore{fine}", Upscore(classes, step))
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
        for fine, step, scale in zip(self.skips, self.steps, self.scales, strict=True):
            features = pyramid[fine] if scale == 1 else pyramid[fine] * scale
            skip = self.get_submodule(_skip(fine))(features)
            h, w = (step.overlap(scores.shape[axis], skip.shape[axis]) for axis in (2, 3))
            first = step.start - step.offset  # the skip's cell under the first cell both have
            if self.learned:
                finer = self.get_submodule(f"upscore{fine}")(scores, h, w)
            else:
                finer = upscore(scores, h, w, stride=step.stride, kernel=step.kernel, offset=step.start)
            scores = self.fuse(finer, skip[:, :, first : first + h, first : first + w])
        last = self.final
        if last.length(scores.shape[2]) < last.offset + height or last.length(scores.shape[3]) < last.offset + width:
            raise Refusal(f"the scores do not reach the edge of an image of {width}×{height} px: raise the padding")
        return upscore(scores, height, width, stride=last.stride, kernel=last.kernel, offset=last.offset)


class Upscore(nn.Module):
    """A learned upsampling, classes to classes: a transposed convolution that begins as the bilinear one.

    Its weight is classes×classes×k×k and, like the authors', may come to mix classes.
    """

    def __init__(self, classes: int, step: Upsampling) -> None:
        super().__init__()
        self.step = step
        self.weight = nn.Parameter(torch.zeros(classes, classes, step.kernel, step.kernel))
        if self.weight.device.type != "meta":
            taps = torch.from_numpy(upsample_filter(step.kernel)).float()
            with torch.no_grad():
                self.weight.diagonal(dim1=0, dim2=1).copy_(torch.outer(taps, taps)[..., None])

    def forward(self, scores: Tensor, height: int, width: int) -> Tensor:
        start, kernel, stride = self.step.start, self.step.kernel, self.step.stride
        if planned(scores):
            n, classes, h, w = scores.shape
            spread = product(self.weight.flatten(1).T, scores.reshape(n, classes, -1))
            size = (stride * (h - 1) + kernel, stride * (w - 1) + kernel)
            wide = functional.fold(spread, size, kernel, stride=stride)
        else:
            wide = functional.conv_transpose2d(scores, self.weight, stride=stride)
        return wide[:, :, start : start + height, start : start + width]


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
            self.add_module(name, Head(spec, channels, coordinates, len(label.classes)))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """N×C×H×W float, ``inputs.stack`` minus ``spec.mean``, to {head: N×classes×H×W scores}."""
        pyramid = self.backbone(image)
        height, width = image.shape[2:]
        return {name: self.get_submodule(name)(pyramid, height, width) for name in self.spec.heads}


class LateFCN(nn.Module):
    """An ``FCN`` for each of ``spec.inputs``, by that name; the scores of a head are the streams' mean.

    The authors average what ``score_fr`` gives and upsample that. Scoring, sum and fixed upsampling are linear, so the
    mean of the upsampled scores is the same map. Tensors are named ``color.backbone.conv1_1.weight`` and so on.
    """

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        if (spec.upsampling, spec.fusion) != ("fixed", "sum"):
            raise Refusal("late streams are averaged, which needs upsampling fixed and fusion sum: set both")
        self.spec = spec
        self.widths = [channels(column) for column in spec.inputs]
        ends = list(accumulate(self.widths))
        for column, width, end in zip(spec.inputs, self.widths, ends, strict=True):
            self.add_module(column, FCN(spec.stream(column, spec.mean[end - width : end])))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """As ``FCN``; each stream takes its own channels of ``image``."""
        parts = torch.split(image, self.widths, 1)
        scores = [self.get_submodule(column)(part) for column, part in zip(self.spec.inputs, parts, strict=True)]
        return {head: torch.stack([stream[head] for stream in scores]).mean(0) for head in self.spec.heads}


def make(spec: NetSpec) -> FCN | LateFCN:
    """The net of ``spec``, all zero.

    Raises Refusal where its parts do not fit together.
    """
    if sum(map(channels, spec.inputs)) != len(spec.mean):
        raise Refusal(f"inputs {', '.join(spec.inputs)} do not have {len(spec.mean)} channels, as the mean has")
    return LateFCN(spec) if spec.streams == "late" else FCN(spec)


def build(path: Path) -> FCN | LateFCN:
    """The net a checkpoint holds, on the CPU, in evaluation mode; Refusal where weights and spec disagree."""
    spec, tensors = checkpoint.load(path)
    with torch.device("meta"):
        net = make(spec)
    try:
        net.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise Refusal(f"{path} is not the weights of the net it describes ({reason[:200]}…): train it again") from None
    return net.eval()


def _skip(stride: int) -> str:
    return f"score_pool{stride.bit_length() - 1}"  # pool4 has stride 2⁴
