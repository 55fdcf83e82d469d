"""What a net is, without torch: the spec that travels inside its weights, and where a cell of a feature map looks."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal

from pipeline.core.types import LabelSpec, Refusal


@dataclass(frozen=True, kw_only=True)
class NetSpec:
    """Everything needed to rebuild a net around its weights.

    ``crop`` is the side in pixels of the classifier's input: fc6 of a VGG is ``crop / 32`` wide (224 → 7, 96 → 3).
    ``padding`` is the first convolution's (the authors': 100 for VGG16 and AlexNet, 3 for GoogLeNet).
    ``inputs`` are the image columns the net sees, one behind the other as ``inputs.stack`` has them (RGB in 0–255, ln
    of millimetres); ``mean`` is subtracted from their channels. ``streams``: ``early`` shows all of them to one net,
    ``late`` gives each a net of its own and averages the scores (paper section 5, NYUDv2).
    ``heads`` maps each label column to its classes; empty for a bare backbone.
    ``skip_scales`` multiply the features of each finer stride before they are scored, coarse to fine (at once: 0.01
    and 0.0001). ``fusion`` is how a skip's scores join the upsampled ones. ``upsampling``: the last is always fixed
    bilinear; ``learned`` makes those between strides convolutions that begin bilinear (CVPR section 4.3).
    """

    backbone: str
    width: float
    crop: int
    padding: int
    mean: tuple[float, ...]
    inputs: tuple[str, ...] = ("color",)
    streams: Literal["early", "late"] = "early"
    stride: int = 32
    skip_scales: tuple[float, ...] = ()
    fusion: Literal["sum", "max"] = "sum"
    upsampling: Literal["fixed", "learned"] = "fixed"
    heads: Mapping[str, LabelSpec] = field(default_factory=dict)

    def stream(self, column: str, mean: tuple[float, ...]) -> "NetSpec":
        """The net of one input of a ``late`` net."""
        return replace(self, inputs=(column,), streams="early", mean=mean)

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "heads": {name: head.to_json() for name, head in self.heads.items()}}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "NetSpec":
        """Raises KeyError or TypeError for a field that is missing or unknown."""
        lists = {"mean": float, "inputs": str, "skip_scales": float}
        fields = {**row, **{name: tuple(map(kind, row[name])) for name, kind in lists.items()}}
        heads = {name: LabelSpec.from_json(head) for name, head in row["heads"].items()}
        return cls(**{**fields, "width": float(row["width"]), "heads": heads})


@dataclass(frozen=True)
class Coordinates:
    """Cell i of a map is centred on pixel ``scale * i + shift`` of the image, where pixel 0 is centred on 0.

    The same on both axes. Source of the rules: Caffe's ``python/caffe/coord_map.py``.
    """

    scale: Fraction = Fraction(1)
    shift: Fraction = Fraction(0)

    def through(self, *, kernel: int, stride: int = 1, padding: int = 0) -> "Coordinates":
        """The map behind a convolution or a pooling with this window."""
        return Coordinates(self.scale * stride, self.shift + self.scale * (Fraction(kernel - 1, 2) - padding))

    def upsampled(self, *, kernel: int, stride: int) -> "Coordinates":
        """The map behind a transposed convolution without padding."""
        scale = self.scale / stride
        return Coordinates(scale, self.shift - scale * Fraction(kernel - 1, 2))

    def onto(self, fine: "Coordinates") -> "Upsampling":
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
