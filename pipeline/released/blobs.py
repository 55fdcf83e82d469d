"""Which blobs the authors' .caffemodel of a net holds, what each becomes here, and what those we compute must be.

Layer names are those of their ``net.py`` files (shelhamer/fcn.berkeleyvision.org).
"""

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
from pipeline.fcn.net import COARSEST, FCN, Head, make
from pipeline.spec import NetSpec

Address = tuple[str, int]  # layer, blob of it
BLOBS = ("weight", "bias")
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
        taps = upsample_filter(self.shape[-1])
        return np.eye(self.shape[0])[:, :, None, None] * np.outer(taps, taps)


Places = Iterator[tuple[Address, Weight | Fixed]]


def places(spec: NetSpec) -> dict[Address, Weight | Fixed]:
    """Every blob of the authors' file of this net, in the net's order.

    Raises Refusal for heads that the authors' two-headed nets do not have.
    """
    with torch.device("meta"):
        net = make(spec)
    if isinstance(net, FCN):
        return dict(_stream(net, "", ""))
    streams = {column: cast(FCN, net.get_submodule(column)) for column in spec.inputs}
    # The layers' suffix there is the column's name; both have the one upsampling to the pixels
    return dict(pair for column, stream in streams.items() for pair in _stream(stream, f"{column}.", column))


def _stream(net: FCN, prefix: str, suffix: str) -> Places:
    spec, first = net.spec, plugins.load("backbones", net.spec.backbone).FIRST
    for name, tensor in net.backbone.state_dict().items():
        layer, _, part = name.rpartition(".")
        order = _order(spec.inputs) if name == f"{first}.weight" else None
        caffe = f"{layer}_bgrd" if layer == first and spec.inputs == WITH_DEPTH else layer
        weight = Weight(tensor=f"{prefix}backbone.{name}", shape=tuple(tensor.shape), order=order)
        yield (f"{caffe}{suffix}", BLOBS.index(part)), weight
    for name in spec.heads:
        head, of_head = cast(Head, net.get_submodule(name)), _suffix(name, spec)
        for own, tensor in head.state_dict().items():
            layer, _, part = own.rpartition(".")
            if layer.startswith("score_"):
                weight = Weight(tensor=f"{prefix}{name}.{own}", shape=tuple(tensor.shape))
                yield (f"{layer}{suffix}{of_head}", BLOBS.index(part)), weight
        yield from _upscores(head, f"{prefix}{name}.", of_head)
        for fine, scale in zip(head.skips, spec.skip_scales, strict=bool(spec.skip_scales)):
            shape = (net.backbone.channels[fine],)
            yield (f"scale_{_pool(fine)}", 0), Fixed(kind="scale", shape=shape, value=scale)


def _upscores(head: Head, prefix: str, suffix: str) -> Places:
    """Caffe's upscore2, upscore_pool4 between strides and upscore, upscore16 or upscore8 to the pixels.

    A name and its number say what an upsampling starts from or multiplies by; our learned ``upscore16`` says where it
    leads: it is Caffe's upscore2, and our ``upscore8`` is Caffe's upscore_pool4. Late streams share the last one.
    """
    square = (head.score_fr.out_channels,) * 2
    coarse = COARSEST
    for fine, step in zip(head.skips, head.steps, strict=True):
        layer = "upscore2" if coarse == COARSEST else f"upscore_{_pool(coarse)}"
        shape = (*square, step.kernel, step.kernel)
        learned = Weight(tensor=f"{prefix}upscore{fine}.weight", shape=shape)
        yield (f"{layer}{suffix}", 0), learned if head.learned else Fixed(kind="bilinear", shape=shape)
        coarse = fine
    last, kernel = "upscore" if coarse == COARSEST else f"upscore{coarse}", head.final.kernel
    yield (f"{last}{suffix}", 0), Fixed(kind="bilinear", shape=(*square, kernel, kernel))


def _order(inputs: tuple[str, ...]) -> tuple[int, ...] | None:
    order: list[int] = []
    for column in inputs:
        own = range(len(order), len(order) + channels(column))
        order += reversed(own) if column == BGR else own
    return tuple(order) if BGR in inputs else None


def _suffix(head: str, spec: NetSpec) -> str:
    if len(spec.heads) == 1:
        return ""
    if head not in SUFFIXES:
        raise Refusal(f"no released net has a head {head!r} beside another: they have {' and '.join(SUFFIXES)}")
    return SUFFIXES[head]


def _pool(stride: int) -> str:
    return f"pool{stride.bit_length() - 1}"  # pool4 has stride 2⁴
