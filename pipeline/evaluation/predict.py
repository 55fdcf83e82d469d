"""Label every pixel of every image of a split, one image at a time, at the image's own resolution."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pipeline.core.types import Refusal
from pipeline.fcn import inputs
from pipeline.shards.reader import Example
from pipeline.spec import NetSpec

Pixels = NDArray[np.uint8]


def predict(
    net: nn.Module, spec: NetSpec, examples: Iterable[Example], device: torch.device
) -> Iterator[tuple[Example, dict[str, Pixels]]]:
    """Yield each example with its predicted label map (H×W uint8 class indices) per head.

    ``net`` maps 1×C×H×W floats, ``spec``'s inputs minus its mean, to {head: 1×classes×H×W scores}; it is moved to
    ``device`` and set to evaluation: no dropout.

    Raises Refusal naming the image where a score is not a number: such a net would pass for one that sees background.
    """
    net.to(device).eval()
    mean = torch.tensor(spec.mean, dtype=torch.float32, device=device).view(1, -1, 1, 1)
    for example in examples:
        with torch.inference_mode():  # around each image: a generator would leak the mode to its caller at the yield
            image = inputs.stack(example.images, spec.inputs, device) - mean
            labels = {head: _best(score, example.id) for head, score in net(image).items()}
        yield example, labels


def _best(score: torch.Tensor, name: str) -> Pixels:
    """The best class per pixel, the first of equals; ``max`` takes a quarter of argmax's time on a CPU."""
    best, label = score.max(1)  # a NaN anywhere wins
    if bool(best.isnan().any()):
        raise Refusal(f"{name}: the net's scores are not numbers, its training has diverged: lower solver.lr")
    pixels: Pixels = label[0].to(torch.uint8).cpu().numpy()
    return pixels
