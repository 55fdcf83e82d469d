"""Where a cell of a feature map looks: the pixel under its centre, composed layer by layer in exact fractions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from pipeline.types import Refusal


@dataclass(frozen=True)
class Coordinates:
    """Cell i of a map is centred on pixel ``scale * i + shift`` of the image, where pixel 0 is centred on 0.

    The same on both axes. Source of the rules: Caffe's ``python/caffe/coord_map.py``.
    """

    scale: Fraction = Fraction(1)
    shift: Fraction = Fraction(0)

    def through(self, *, kernel: int, stride: int = 1, padding: int = 0) -> Coordinates:
        """The map behind a convolution or a pooling with this window."""
        return Coordinates(self.scale * stride, self.shift + self.scale * (Fraction(kernel - 1, 2) - padding))

    def upsampled(self, *, kernel: int, stride: int) -> Coordinates:
        """The map behind a transposed convolution without padding."""
        scale = self.scale / stride
        return Coordinates(scale, self.shift - scale * Fraction(kernel - 1, 2))

    def onto(self, fine: Coordinates) -> Upsampling:
        """The bilinear upsampling whose cells fall on those of ``fine``, a map of smaller or equal scale.

        The kernel is twice the stride; one less where that would land between two cells, which is why the authors'
        AlexNet has a kernel of 63 and their VGG16 one of 64.
        """
        stride = int(self.scale / fine.scale)
        for kernel in (2 * stride, 2 * stride - 1):
            up = self.upsampled(kernel=kernel, stride=stride)
            offset = (fine.shift - up.shift) / up.scale
            if offset.denominator == 1:
                return Upsampling(stride=stride, kernel=kernel, offset=int(offset))
        raise Refusal(
            f"no bilinear kernel of stride {stride} takes cells at {self} to cells at {fine}: change a padding"
        )


@dataclass(frozen=True, kw_only=True)
class Upsampling:
    """A transposed convolution by ``stride``; its cell ``offset`` is cell 0 of the finer map it is laid on."""

    stride: int
    kernel: int
    offset: int

    @property
    def start(self) -> int:
        """The first upsampled cell that the finer map has too: the authors' crop where the upsampled map is cropped."""
        return max(0, self.offset)

    def length(self, cells: int) -> int:
        """Cells after upsampling ``cells`` of them."""
        return (cells - 1) * self.stride + self.kernel

    def overlap(self, cells: int, fine: int) -> int:
        """How many cells the upsampled map and a finer map of ``fine`` cells share."""
        return min(self.length(cells), self.offset + fine) - self.start
