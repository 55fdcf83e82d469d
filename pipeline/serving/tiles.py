"""Cut an image into tiles that say together what the net says of the whole."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pipeline.core.types import Refusal
from pipeline.fcn.net import COARSEST, FCN, Head, make
from pipeline.spec import NetSpec

SMALLEST = 2 * COARSEST  # pixels of a tile's side
CONVOLUTION, POOL = torch.ops.aten.convolution.default, torch.ops.aten.max_pool2d_with_indices.default
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
    stream = cast(FCN, net.get_submodule(spec.inputs[0]) if spec.streams == "late" else net)  # late streams are alike
    head = cast(Head, stream.get_submodule(next(iter(spec.heads))))
    windows = receptive_fields(stream.backbone, len(stream.spec.mean))
    first, last = {}, {}  # pixel that cell 0 of each stride's features sees; windows are centred on the coordinates
    for stride, at in stream.backbone.coordinates.items():
        first[stride] = int(at.shift - (windows[stride] - 1) / 2)
        last[stride] = first[stride] + windows[stride] - 1
    begin, end = first[COARSEST], last[COARSEST]
    for fine, step in zip(head.skips, head.steps, strict=True):
        skipped = (step.start - step.offset) * fine
        begin = min(begin + (step.start - step.kernel + 1) * fine, first[fine] + skipped)
        end = max(end + step.start * fine, last[fine] + skipped)
    return Reach(before=head.final.kernel - 1 - head.final.offset - begin, after=end + head.final.offset)


def receptive_fields(backbone: nn.Module, channels: int) -> dict[int, int]:
    """{stride: pixels along an axis that one cell of ``backbone``'s features sees}; the module is on the meta device.

    GoogLeNet's cell of stride 32 sees 715: Table 1's 907 are its classifier's, with the 7×7 pool that the FCN discards.
    """
    image = torch.empty(1, channels, 64, 64, device="meta")
    with torch.no_grad(), _Windows(image) as windows:
        return {stride: windows.of(features)[0] for stride, features in backbone(image).items()}


class _Windows(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While active, knows the window and the stride, in pixels, of every map that is made of ``image``."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._known: dict[int, tuple[int, int, Tensor]] = {id(image): (1, 1, image)}  # an id is its tensor's alone

    def of(self, features: Tensor) -> tuple[int, int]:
        return self._known[id(features)][:2]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        sources = [tensor for tensor in tree_leaves(args) if id(tensor) in self._known]
        results = [tensor for tensor in tree_leaves(made) if isinstance(tensor, Tensor)]
        if sources and results:
            window, stride = max(map(self.of, sources))  # of branches that join, the widest
            if func is CONVOLUTION:
                window, stride = window + (args[1].shape[3] - 1) * args[5][1] * stride, stride * args[3][1]
            elif func is POOL:
                window, stride = window + (args[1][1] - 1) * stride, stride * (args[2] or args[1])[1]
            elif results[0].shape[3:] < sources[0].shape[3:]:
                raise Refusal(f"what a cell sees behind {func} is not known: teach it to pipeline/serving/tiles.py")
            self._known |= {id(tensor): (window, stride, tensor) for tensor in results}
        return made


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
