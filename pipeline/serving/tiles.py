"""Cut an image into tiles that say together what the net says of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import torch

from pipeline.core.types import Refusal
from pipeline.fcn.net import COARSEST, FCN, Head, LateFCN, make
from pipeline.serving.geometry import SIDE, Field, walked
from pipeline.spec import NetSpec, Upsampling

SMALLEST = 2 * COARSEST  # pixels of a tile's side
Span = tuple[int, int]


@dataclass(frozen=True)
class Reach:
    """A pixel's scores depend on at most ``before`` pixels in front of it and ``after`` behind it, on either axis."""

    before: int
    after: int

    @property
    def side(self) -> int:
        """The smallest tile, in pixels, that overlaps its neighbours by all that a pixel's scores depend on."""
        return -(-(self.before + self.after) // COARSEST) * COARSEST + COARSEST


@dataclass(frozen=True)
class Tile:
    """What the net is shown, and the part of it whose labels are kept; both (rows, columns) of the image, half open."""

    shown: tuple[Span, Span]
    kept: tuple[Span, Span]


def reach(spec: NetSpec) -> Reach:
    """How far the net of ``spec`` looks from a pixel: through each stride's features and all upsamplings to it."""
    with torch.device("meta"):
        net = make(spec)
    stream = net.get_submodule(spec.inputs[0]) if isinstance(net, LateFCN) else net  # late streams are alike
    assert isinstance(stream, FCN)
    head = stream.get_submodule(next(iter(spec.heads)))
    assert isinstance(head, Head)

    def features(stride: int) -> Field:
        return walked(lambda image: stream.backbone(image)[stride], len(stream.spec.mean), SIDE)

    field = features(COARSEST)
    for fine, step in zip(head.skips, head.steps, strict=True):
        skip = features(fine)
        field = _upsampled(field, step, step.start)
        field = field.joined(replace(skip, start=skip.start + (step.start - step.offset) * skip.stride))
    field = _upsampled(field, head.final, head.final.offset)
    return Reach(before=-field.start, after=field.start + field.size - 1)


def checked(side: int) -> int:
    """``side``; Refusal where tiles of that many pixels cannot begin at cells of the coarsest map."""
    if side < SMALLEST or side % COARSEST:
        raise Refusal(f"tiles of {side} px: choose a multiple of {COARSEST}, {SMALLEST} or more")
    return side


def cut(height: int, width: int, side: int, reach: Reach) -> list[Tile]:
    """Tiles of at most ``side``×``side`` pixels whose kept parts cover the image, each pixel once.

    Tiles begin at multiples of the coarsest stride, so that their cells are cells of the whole image. From
    ``reach.side`` on, each pixel's tile holds all that its scores depend on, so scores are the whole image's up to the
    rounding of sums; a smaller side keeps a quarter of itself as a margin, and near seams labels are an approximation.
    """
    margins = reach if checked(side) >= reach.side else Reach(side // 4, side // 4)
    rows, columns = (list(_spans(length, side, margins)) for length in (height, width))
    return [Tile((row[0], column[0]), (row[1], column[1])) for row, column in product(rows, columns)]


def _spans(length: int, side: int, margins: Reach) -> Iterator[tuple[Span, Span]]:
    """(shown, kept) along one axis."""
    start = kept = 0
    while True:
        end = min(start + side, length)
        until = end if end == length else end - margins.after
        yield (start, end), (kept, until)
        if end == length:
            return
        kept, start = until, (until - margins.before) // COARSEST * COARSEST


def _upsampled(field: Field, step: Upsampling, first: int) -> Field:
    """``field`` behind an upsampling whose cell ``first`` becomes cell 0: a cell is made of those under the kernel."""
    stride = field.stride // step.stride
    wider = (step.kernel - 1) * stride
    return replace(field, start=field.start - wider + first * stride, size=field.size + wider, stride=stride)
