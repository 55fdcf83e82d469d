"""Label every pixel of an image of any size, as evaluation does it, in one piece or in tiles."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from math import isqrt
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pipeline.core.types import Refusal
from pipeline.fcn import inputs
from pipeline.fcn.bilinear import matrix
from pipeline.fcn.net import COARSEST, FCN, LateFCN, make
from pipeline.prediction.predict import predict
from pipeline.serving import device as machine
from pipeline.serving import tiles
from pipeline.shards.reader import Example

Images = Mapping[str, NDArray[Any]]
WHOLE = 0  # as a side: never tile
SCRATCH = 2  # of what torch's tensors take: measured on a CPU, a forward pass takes 1.2 to 1.5 times as much
SAMPLE = 1024  # pixels of the side of the image whose memory is counted; nothing is computed
LARGEST = 4096  # pixels of a tile's side on a GPU
MOST = 1_500_000_000  # bytes that a piece takes on a CPU where exact tiles allow it, beside Python and the picture
SCORES = "-scores"
PLENTY = 4096  # bytes a pixel, 4 times the whole VGG16's: a picture for which there is as much needs no counting, 4 s
ONE = 65535
FLOATS = 3  # a class and pixel that probabilities take beside the net's scores: softmax, its rounding, what is kept
MATRICES = 64  # kept from image to image: at 4000 px one has 8 MB


class Segmenter:
    """A net that labels images of any size.

    ``side`` is that of its tiles in pixels; None leaves it whole while memory, on a CPU ``MOST``, suffices, and
    otherwise takes the largest tiles for which it does. They lose nothing: a pixel's scores in its tile are those in
    the whole up to the rounding of sums (measured: under 1e-5 of their standard deviation), so only two classes as near
    as that can change places.

    With ``scores`` each head's probabilities come along, under its name and ``SCORES``: H×W×classes uint16, of which
    ``ONE`` is 1.

    Raises Refusal for a side that tiles cannot have.
    """

    def __init__(
        self, net: FCN | LateFCN, device: torch.device, side: int | None = None, *, scores: bool = False
    ) -> None:
        self.net, self.device = net, device
        self.softmax = _Softmax(net) if scores else None
        self.side = tiles.checked(side) if side else side
        self.heads = net.spec.heads

    @cached_property
    def reach(self) -> tiles.Reach:
        """How far the net looks; smaller tiles than its ``side`` are an approximation."""
        return tiles.reach(self.net.spec)

    def __call__(self, images: Images, name: str) -> dict[str, NDArray[Any]]:
        """{column: H×W×3 uint8, a depth H×W uint16} to {head: H×W uint8 class indices}, and probabilities if wanted.

        Raises Refusal naming ``name`` where an input is missing, the inputs' sizes differ or memory does not suffice.
        """
        height, width = self._size(images, name)
        padded = {column: self._padded(images[column], column) for column in self.net.spec.inputs}
        rows, columns = (max(COARSEST, length) for length in (height, width))
        side = self._side(rows, columns, name) if self.side is None else self.side
        if side == WHOLE or max(rows, columns) <= side:
            ((_, labels),) = self._predict([Example(id=name, images=padded, labels={})])
        else:
            labels = self._tiled(padded, rows, columns, side, name)
        if matrix.cache_info().currsize > MATRICES:
            matrix.cache_clear()
        return {head: label[:height, :width] for head, label in labels.items()}

    def _size(self, images: Images, name: str) -> tuple[int, int]:
        spec = self.net.spec
        if missing := [column for column in spec.inputs if column not in images]:
            raise Refusal(f"{name} lacks {', '.join(missing)}: this net sees {', '.join(spec.inputs)}")
        for column in spec.inputs:
            image, depth = images[column], column == inputs.MILLIMETRES
            if image.dtype != (np.uint16 if depth else np.uint8) or image.shape[2:] != (() if depth else (3,)):
                wanted = "H×W uint16 of millimetres" if depth else "H×W×3 uint8 RGB"
                raise Refusal(f"{name}: {column} is {image.dtype} of shape {image.shape}: it has to be {wanted}")
        sizes = {images[column].shape[:2] for column in spec.inputs}
        if len(sizes) > 1 or 0 in next(iter(sizes)):
            sizes_seen = f"{name} is of size {sorted(sizes)} (height, width)"
            raise Refusal(f"{sizes_seen}: all inputs must be of one, and not empty")
        return next(iter(sizes))

    def _padded(self, image: NDArray[Any], column: str) -> NDArray[Any]:
        """At least 32×32: the coarsest cell of a smaller image may lie outside, so the mean continues it."""
        height, width = (max(COARSEST, length) for length in image.shape[:2])
        if (height, width) == image.shape[:2]:
            return np.require(image, requirements=["C", "W"])  # what torch takes without a word
        wide = np.empty((height, width, *image.shape[2:]), image.dtype)
        wide[:] = inputs.unstacked(self.net.spec.mean, self.net.spec.inputs)[column]
        wide[: image.shape[0], : image.shape[1]] = image
        return wide

    @cached_property
    def bytes_per_pixel(self) -> float:
        """What labelling takes at once for each pixel of the image with its padding."""
        spec = self.net.spec
        with torch.device("meta"):
            net = make(spec).eval()
        classes = sum(len(label.classes) for label in self.heads.values()) if self.softmax else 0
        peak = machine.peak(net, len(spec.mean), SAMPLE, SAMPLE) / (SAMPLE + 2 * spec.padding) ** 2
        return SCRATCH * peak + 4 * classes * FLOATS

    def _side(self, height: int, width: int, name: str) -> int:
        """``WHOLE``, or the side of the largest tiles that memory suffices for."""
        room, around = machine.available(self.device), 2 * self.net.spec.padding
        bound, area = room if self.device.type == "cuda" else min(room, MOST), (height + around) * (width + around)
        if area * PLENTY <= bound or area * self.bytes_per_pixel <= bound:
            return WHOLE
        pixels = min(
            int(room / self.bytes_per_pixel), max(int(bound / self.bytes_per_pixel), (self.reach.side + around) ** 2)
        )
        side = min(LARGEST, (isqrt(pixels) - around) // COARSEST * COARSEST)
        if side < self.reach.side:
            raise Refusal(
                f"{name} does not fit into {room >> 20} MB, nor do exact tiles of it, {self.reach.side} px or "
                f"more: free some memory, or choose tiles of {tiles.SMALLEST} px or more, which are an approximation"
            )
        return side

    def _tiled(self, images: Images, height: int, width: int, side: int, name: str) -> dict[str, NDArray[Any]]:
        plan = tiles.cut(height, width, side, self.reach)
        labels: dict[str, NDArray[Any]] = {}
        shown = (
            {column: image[slice(*tile.shown[0]), slice(*tile.shown[1])] for column, image in images.items()}
            for tile in plan
        )
        found = self._predict(Example(id=name, images=part, labels={}) for part in shown)
        for tile, (_, parts) in zip(plan, found, strict=True):
            (top, _), (left, _) = tile.shown
            (first, last), (begin, end) = tile.kept
            for head, label in parts.items():
                if head not in labels:
                    labels[head] = np.empty((height, width, *label.shape[2:]), label.dtype)
                labels[head][first:last, begin:end] = label[first - top : last - top, begin - left : end - left]
        return labels

    def _predict(self, examples: Iterable[Example]) -> Iterator[tuple[Example, dict[str, NDArray[Any]]]]:
        for example, labels in predict(self.softmax or self.net, self.net.spec, examples, self.device):
            yield example, labels | (self.softmax.last if self.softmax else {})


class _Softmax(nn.Module):
    """``net``, of whose scores ``last`` keeps the probabilities."""

    def __init__(self, net: FCN | LateFCN) -> None:
        super().__init__()
        self.net = net
        self.last: dict[str, NDArray[np.uint16]] = {}

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        scores: dict[str, torch.Tensor] = self.net(image)
        for head, score in scores.items():
            parts = score.softmax(1).mul_(ONE).round_()[0].permute(1, 2, 0)
            self.last[head + SCORES] = parts.cpu().numpy().astype(np.uint16)
        return scores
