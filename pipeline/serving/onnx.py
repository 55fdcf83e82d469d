"""A net as an ONNX graph that takes pixels of any size and says their classes: no torch, no preprocessing outside."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from pipeline.core.files import replacing
from pipeline.core.types import Refusal
from pipeline.fcn.inputs import MILLIMETRES
from pipeline.fcn.net import COARSEST, FCN, Head, LateFCN, build
from pipeline.spec import Upsampling

OPSET = 20
SCORES = "_scores"
SMALLEST, LARGEST = 64, 1 << 16  # pixels of a side: from 64 on the coarsest map has two cells, as tracing needs
TRACED = (157, 203)  # height and width of the pictures that are led through


def export(weights: Path, out: Path) -> None:
    """Write the net in ``weights`` to ``out``, an ONNX file whose metadata holds the spec as JSON under ``spec``.

    An input per column of the spec: N×H×W×3 uint8 RGB, a depth N×H×W uint16 millimetres; N, H and W are free, H and W
    from 32 on (``least_side`` in the metadata; pad smaller pictures with the mean). Two outputs per head: its name,
    N×H×W uint8 class indices, and its name with ``_scores``, N×classes×H×W float32. The mean lies in the graph. Scores
    differ from torch's by the rounding of sums, measured with onnxruntime 1.32: under 2e-6 of their range.

    Raises Refusal where ``weights`` are not this pipeline's, or the exporter's packages are not installed.
    """
    if not (find_spec("onnx") and find_spec("onnxscript")):
        raise Refusal("exporting needs the packages onnx and onnxscript: pip install 'fcn-pipeline[onnx]'")
    net = build(weights)
    spec = net.spec
    pixels = tuple(_example(column) for column in spec.inputs)
    sides = (torch.export.Dim(name, min=SMALLEST, max=LARGEST) for name in ("height", "width"))
    free = dict(enumerate((torch.export.Dim("batch"), *sides)))
    with replacing(out) as scratch, _quiet():
        program = torch.onnx.export(
            _Graph(net).eval(),
            pixels,
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=list(spec.inputs),
            output_names=[name for head in spec.heads for name in (head, head + SCORES)],
            dynamic_shapes={"columns": tuple(free for _ in pixels)},
        )
        assert program is not None
        for node in program.model.graph.all_nodes():
            node.metadata_props.clear()  # how torch came to it, with addresses that differ from process to process
        program.model.metadata_props["least_side"] = str(COARSEST)  # or a pool has nothing to look at
        program.model.metadata_props["spec"] = json.dumps(spec.to_json(), sort_keys=True, ensure_ascii=False)
        program.save(scratch, external_data=False)


class _Graph(nn.Module):
    """The net's forward pass with sizes that stay symbols: what ``Head.forward`` computes from numbers."""

    def __init__(self, net: FCN | LateFCN) -> None:
        super().__init__()
        self.net = net
        self.mean: Tensor
        self.register_buffer("mean", torch.tensor(net.spec.mean).view(1, -1, 1, 1))

    def forward(self, *columns: Tensor) -> tuple[Tensor, ...]:
        stacked = [
            pixels.float().log().unsqueeze(1) if name == MILLIMETRES else pixels.permute(0, 3, 1, 2).float()
            for name, pixels in zip(self.net.spec.inputs, columns, strict=True)
        ]
        image = torch.cat(stacked, 1) - self.mean
        parts = {"": image}
        if isinstance(self.net, LateFCN):
            parts = dict(zip(self.net.spec.inputs, torch.split(image, self.net.widths, 1), strict=True))
        streams = [_scores(cast(FCN, self.net.get_submodule(name)), part) for name, part in parts.items()]
        heads = [torch.stack(scores).mean(0) for scores in zip(*streams, strict=True)]
        return tuple(made for scores in heads for made in (scores.argmax(1).to(torch.uint8), scores))


def _scores(stream: FCN, image: Tensor) -> list[Tensor]:
    """The scores of every head of a net with one stream."""
    pyramid = stream.backbone(image)
    return [_fused(cast(Head, stream.get_submodule(name)), pyramid, *image.shape[2:]) for name in stream.spec.heads]


def _fused(head: Head, pyramid: dict[int, Tensor], height: int, width: int) -> Tensor:
    """``Head.forward``, a minimum of two sizes being torch's."""
    scores: Tensor = head.score_fr(pyramid[COARSEST])
    for fine, step, scale in zip(head.skips, head.steps, head.scales, strict=True):
        skip = head.get_submodule(f"score_pool{fine.bit_length() - 1}")(pyramid[fine] * scale)
        h, w = (
            torch.sym_min(step.length(scores.shape[axis]), step.offset + skip.shape[axis]) - step.start
            for axis in (2, 3)
        )
        first = step.start - step.offset
        if head.learned:
            finer = head.get_submodule(f"upscore{fine}")(scores, h, w)
        else:
            finer = _upscored(scores, h, w, replace(step, offset=step.start))
        scores = head.fuse(finer, skip[:, :, first : first + h, first : first + w])
    return _upscored(scores, height, width, head.final)


def _upscored(scores: Tensor, height: int, width: int, step: Upsampling) -> Tensor:
    """``bilinear.upscore`` with its matrices made in the graph."""
    return _matrix(scores.shape[2], height, step) @ scores @ _matrix(scores.shape[3], width, step).T


def _matrix(cells: int, size: int, step: Upsampling) -> Tensor:
    """``bilinear.matrix``: its taps are a triangle, which is 0 from one cell beyond the kernel on."""
    taps = torch.arange(size)[:, None] + step.offset - step.stride * torch.arange(cells)[None, :]
    return (1 - (taps.float() - (step.kernel - 1) / 2).abs() / ((step.kernel + 1) // 2)).clamp(min=0)


def _example(column: str) -> Tensor:
    """A batch of two: one alone would be taken for a constant."""
    if column == MILLIMETRES:
        return torch.full((2, *TRACED), 2000, dtype=torch.uint16)
    return torch.zeros(2, *TRACED, 3, dtype=torch.uint8)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's own warnings and its log of rewritten nodes."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        log.setLevel(before)
