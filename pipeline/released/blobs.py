"""Which blobs the authors' .caffemodel of a net holds, what each becomes here, and what those we compute must be.

Layer names are those of their ``net.py`` files (shelhamer/fcn.berkeleyvision.org).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.core import plugins
from pipeline.core.types import Refusal
from pipeline.fcn.bilinear import upsample_filter
from pipeline.fcn.inputs import channels
from pipeline.fcn.net import COARSEST, FCN, Head, LateFCN, make
from pipeline.spec import NetSpec, Upsampling

Address = tuple[str, int]  # layer, blob of it: 0 the weight, 1 the bias
SUFFIXES = {"semantic": "_sem", "geometric": "_geo"}  # SIFT Flow's two heads; a lone head's layers have none
BGR = "color"  # the one column whose channels Caffe has the other way round; HHA went in as stored
WITH_DEPTH = ("color", "depth")  # a first layer of these is called conv1_1_bgrd


@dataclass(frozen=True, kw_only=True)
class Weight:
    """A blob that becomes ``tensor``; where Caffe orders input channels otherwise, ours i is its ``order[i]``."""

    tensor: str
    shape: tuple[int, ...]
    order: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """A blob that no tensor holds here, because the net computes it: the file must agree."""

    kind: Literal["bilinear", "scale"]
    shape: tuple[int, ...]
    value: float = 1.0  # of a scale

    def expected(self) -> NDArray[np.float64]:
        """The bilinear filter from each class to itself (``surgery.py:interp``), or the scale of every channel."""
        if self.kind == "scale":
            return np.full(self.shape, self.value)
        wanted = np.zeros(self.shape)
        taps = upsample_filter(self.shape[-1])
        wanted[np.diag_indices(self.shape[0])] = np.outer(taps, taps)
        return wanted


def places(spec: NetSpec) -> dict[Address, Weight | Fixed]:
    """Every blob of the authors' file of this net, in the net's order.

    Raises Refusal for heads that the authors' two-headed nets do not have.
    """
    with torch.device("meta"):
        net = make(spec)
    found: dict[Address, Weight | Fixed] = {}
    if isinstance(net, LateFCN):
        for column in spec.inputs:
            stream = cast(FCN, net.get_submodule(column))
            found |= _stream(stream, f"{column}.", column)  # the layers' suffix there is the column's name
    else:
        found |= _stream(net, "", "")
    return found


def _stream(net: FCN, prefix: str, suffix: str) -> dict[Address, Weight | Fixed]:
    spec = net.spec
    found: dict[Address, Weight | Fixed] = {}
    first = plugins.load("backbones", spec.backbone).FIRST
    for name, tensor in net.backbone.state_dict().items():
        layer, _, part = name.rpartition(".")
        order = _order(spec.inputs) if name == f"{first}.weight" else None
        caffe = f"{layer}_bgrd" if layer == first and spec.inputs == WITH_DEPTH else layer
        ours = f"{prefix}backbone.{name}"
        found[f"{caffe}{suffix}", _blob(part)] = Weight(tensor=ours, shape=tuple(tensor.shape), order=order)
    for name in spec.heads:
        head = cast(Head, net.get_submodule(name))
        found |= _scores(head, f"{prefix}{name}.", suffix + _of_head(name, spec))
        found |= dict(_upscores(head, f"{prefix}{name}.", _of_head(name, spec)))
        for fine, scale in zip(head.skips, head.scales, strict=True):
            if spec.skip_scales:
                shape = (net.backbone.channels[fine],)
                found[f"scale_{_pool(fine)}", 0] = Fixed(kind="scale", shape=shape, value=scale)
    return found


def _scores(head: Head, prefix: str, suffix: str) -> dict[Address, Weight]:
    """score_fr and the skips' score_pool4, score_pool3."""
    found = {}
    for name, tensor in head.state_dict().items():
        layer, _, part = name.rpartition(".")
        if layer.startswith("score_"):
            found[f"{layer}{suffix}", _blob(part)] = Weight(tensor=f"{prefix}{name}", shape=tuple(tensor.shape))
    return found


def _upscores(head: Head, prefix: str, suffix: str) -> Iterator[tuple[Address, Weight | Fixed]]:
    """Caffe's upscore2, upscore_pool4 between strides and upscore, upscore16 or upscore8 to the pixels.

    A name and its number say what an upsampling starts from or multiplies by; our learned ``upscore16`` says where it
    leads: it is Caffe's upscore2, and our ``upscore8`` is Caffe's upscore_pool4. Late streams share the last one.
    """
    classes = head.score_fr.out_channels

    def shape(step: Upsampling) -> tuple[int, ...]:
        return (classes, classes, step.kernel, step.kernel)

    coarse = COARSEST
    for fine, step in zip(head.skips, head.steps, strict=True):
        layer = "upscore2" if coarse == COARSEST else f"upscore_{_pool(coarse)}"
        learned = Weight(tensor=f"{prefix}upscore{fine}.weight", shape=shape(step))
        yield (f"{layer}{suffix}", 0), learned if head.learned else Fixed(kind="bilinear", shape=shape(step))
        coarse = fine
    last = "upscore" if coarse == COARSEST else f"upscore{coarse}"
    yield (f"{last}{suffix}", 0), Fixed(kind="bilinear", shape=shape(head.final))


def _order(inputs: tuple[str, ...]) -> tuple[int, ...] | None:
    order: list[int] = []
    for column in inputs:
        own = range(len(order), len(order) + channels(column))
        order += reversed(own) if column == BGR else own
    return tuple(order) if BGR in inputs else None


def _of_head(name: str, spec: NetSpec) -> str:
    if len(spec.heads) == 1:
        return ""
    if name not in SUFFIXES:
        raise Refusal(f"no released net has a head {name!r} beside another: they have {' and '.join(SUFFIXES)}")
    return SUFFIXES[name]


def _blob(part: str) -> int:
    return ("weight", "bias").index(part)


def _pool(stride: int) -> str:
    return f"pool{stride.bit_length() - 1}"  # pool4 has stride 2⁴
