"""The padding around an image, computed once: beyond what the image and the map's edge reach, every row is the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Cut = tuple[int, int]  # rows left out at the front and at the back


@dataclass(frozen=True)
class Window:
    """A convolution's or a pool's, along one axis."""

    kernel: int
    stride: int = 1
    padding: int = 0


@dataclass(frozen=True)
class Run:
    """Equal rows of a map, from ``start`` to before ``end``."""

    start: int
    end: int

    def behind(self, window: Window) -> Run:
        """The rows that see nothing but these; they too are equal."""
        first = -(-(self.start + window.padding) // window.stride)
        return Run(first, (self.end + window.padding - window.kernel) // window.stride + 1)

    def spare(self) -> int:
        """How many rows another of the run can stand for."""
        return max(0, self.end - self.start - 1)


@dataclass(frozen=True)
class Axis:
    """What may be left out of each block's input along one axis, and where it belongs in each block's output.

    ``exits`` are the runs of each block's output, in front of the image and behind it; behind the last, all is whole.
    """

    cuts: tuple[Cut, ...]
    exits: tuple[tuple[Run, Run], ...]

    @classmethod
    def of(cls, length: int, padding: int, blocks: Sequence[Sequence[Window]]) -> Axis:
        """``length`` cells with ``padding`` zeros on both ends, led through the windows of ``blocks``."""
        runs = Run(0, padding), Run(padding + length, length + 2 * padding)
        cuts, exits = [], []
        for windows in blocks:
            stride = 1
            for window in windows:
                runs = runs[0].behind(window), runs[1].behind(window)
                stride *= window.stride
            cuts.append((runs[0].spare() * stride, runs[1].spare() * stride))
            exits.append(runs)
        return cls((*cuts, (0, 0)), tuple(exits))

    def restored(self, x: Tensor, dim: int, block: int, cut: Cut) -> Tensor:
        """The output of ``block``, of which all its spare rows are missing, with all but those of ``cut`` again."""
        front, back = self.exits[block]
        count = front.spare() - cut[0], back.spare() - cut[1]
        if count == (0, 0):
            return x
        first, last = front.start, back.start - front.spare()
        rows = [
            x.narrow(dim, 0, first),
            _repeated(x, dim, first, count[0]),
            x.narrow(dim, first, last - first),
            _repeated(x, dim, last, count[1]),
            x.narrow(dim, last, x.shape[dim] - last),
        ]
        return torch.cat(rows, dim)


class Border:
    """Leaves the padding's repetitions out of an image's way through a net, and puts them back where they are needed.

    With 100 pixels of padding, outputs of the first layers are one row repeated, but for what the image and the map's
    own edge reach: of a 500×375 image's FCN-8s-VGG16 that is a quarter of all work. A layer computes the same sums for
    the same rows; a row's gradient is the sum over all that it stood for. Nothing is approximated.
    ``blocks`` are the windows between the places where rows may come back, the first layer's without its padding.
    """

    def __init__(self, image: Tensor, padding: int, blocks: Sequence[Sequence[Window]]) -> None:
        self.padding = padding
        plain = image.device.type == "meta" or torch.compiler.is_exporting()  # whose sizes are not these
        self.axes = () if plain else tuple(Axis.of(length, padding, blocks) for length in image.shape[2:])

    def padded(self, image: Tensor) -> Tensor:
        """The input of block 1."""
        if not self.axes:
            return functional.pad(image, (self.padding,) * 4)
        (top, bottom), (left, right) = ([self.padding - cut for cut in axis.cuts[0]] for axis in self.axes)
        return functional.pad(image, (left, right, top, bottom))

    def onward(self, x: Tensor, block: int) -> Tensor:
        """The output of ``block``, 1 for the first, as the next one's input."""
        for dim, axis in enumerate(self.axes, 2):
            x = axis.restored(x, dim, block - 1, axis.cuts[block])
        return x

    def whole(self, x: Tensor, block: int) -> Tensor:
        """The output of ``block`` as it is without a cut."""
        for dim, axis in enumerate(self.axes, 2):
            x = axis.restored(x, dim, block - 1, (0, 0))
        return x


def _repeated(x: Tensor, dim: int, row: int, count: int) -> Tensor:
    shape = list(x.shape)
    shape[dim] = count
    return x.narrow(dim, row, 1).expand(shape)
