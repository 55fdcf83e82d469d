"""How a net in training labels the same eight of its training images, at nine moments from the first to the last."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from pipeline.fcn import inputs
from pipeline.fcn.net import FCN, LateFCN
from pipeline.runtime.observer import Observer, Pixels
from pipeline.shards.reader import Example, Shards
from pipeline.shards.schema import read_manifest

IMAGES = 8
MOMENTS = 8  # and the start, where a 16s shows what its 32s knew


class Preview:
    """The pictures of a training of ``iterations`` on ``shards``; which images, depends on their number alone.

    A moment costs eight forward passes and leaves the net and the global random numbers as they were.
    """

    def __init__(self, net: FCN | LateFCN, shards: Path, iterations: int) -> None:
        self.net = net
        self.moments = {iterations * moment // MOMENTS for moment in range(MOMENTS + 1)}
        self._shown = read_manifest(shards).spec.images[0]
        samples = Shards(shards, columns={self._shown, *net.spec.inputs, *net.spec.heads}, verify=False)
        chosen = sorted({k * len(samples) // IMAGES for k in range(IMAGES)})
        self._examples = [samples[index] for index in chosen]

    def show(self, iteration: int, observer: Observer) -> None:
        """Label the eight for ``observer``, if ``iteration`` is one of the moments."""
        if iteration not in self.moments:
            return
        training = self.net.training
        self.net.eval()
        for place, example in enumerate(self._examples):
            key = f"training/{place:02d}-{re.sub(r'[^0-9A-Za-z_.-]', '_', example.id)}"
            image = example.images[self._shown]
            observer.labels(iteration, key, image, example.labels, self._predicted(example), self.net.spec.heads)
        self.net.train(training)

    @torch.inference_mode()
    def _predicted(self, example: Example) -> dict[str, Pixels]:
        device = next(self.net.parameters()).device
        mean = torch.tensor(self.net.spec.mean, device=device).view(1, -1, 1, 1)
        scores = self.net(inputs.stack(example.images, self.net.spec.inputs, device) - mean)
        return {head: score.argmax(1)[0].to(torch.uint8).cpu().numpy() for head, score in scores.items()}
