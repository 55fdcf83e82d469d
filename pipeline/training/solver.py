"""One iteration of training: forward, loss, backward over the images of a batch, and one step of the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from pipeline import determinism
from pipeline.training.feed import Item
from pipeline.training.history import Tally
from pipeline.training.loss import cross_entropy
from pipeline.training.momentum import Momentum
from pipeline.training.recipe import SolverSpec
from pipeline.types import LabelSpec, Refusal


class Solver:
    """Trains ``net`` in place as ``spec`` says; ``heads`` maps each of the net's outputs to its classes.

    ``weights`` are what a pixel of each class counts, for heads whose classes are balanced. Only parameters that take
    gradients are trained.

    What it needs to go on later is ``iteration`` (how many are done), the net's weights and ``velocity``.
    """

    def __init__(
        self,
        net: torch.nn.Module,
        spec: SolverSpec,
        heads: Mapping[str, LabelSpec],
        weights: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        self.net = net
        self.weights = weights or {}
        self.spec = spec
        self.heads = heads
        self.iteration = 0
        self._momentum = Momentum(net, momentum=spec.momentum, weight_decay=spec.weight_decay)

    def step(self, batch: Sequence[Item]) -> Tally:
        """Follow the average of the images' gradients; returns the images' losses, summed over pixels, by head.

        Images go through the net one by one, for they differ in size. Dropout is a pure function of (seed, draw).

        Raises Refusal before touching the weights when a loss is not finite, naming iteration and image.
        """
        loss = dict.fromkeys(self.heads, 0.0)
        count = dict.fromkeys(self.heads, 0)
        for item in batch:
            determinism.reseed(self.spec.seed, item.draw)
            scores = self.net(item.image)
            sums = [
                cross_entropy(scores[head], item.labels[head], spec.ignore_label, self.weights.get(head))
                for head, spec in self.heads.items()
            ]
            for head, value in zip(self.heads, torch.stack(sums).tolist(), strict=True):
                if not math.isfinite(value):
                    raise Refusal(f"loss is {value} at iteration {self.iteration} on {item.id}: lower solver.lr")
                loss[head] += value
                count[head] += item.valid[head]
            self._reduced(sums, item).div(len(batch)).backward()  # type: ignore[no-untyped-call]
        self._momentum.update(self.spec.lr)
        self.iteration += 1
        return Tally(loss=loss, count=count)

    def _reduced(self, sums: Sequence[torch.Tensor], item: Item) -> torch.Tensor:
        """The image's loss, heads weighted alike: the sums themselves, or each over its valid pixels."""
        if self.spec.reduction == "sum":
            return torch.stack(tuple(sums)).sum()
        return torch.stack(
            [value / max(item.valid[head], 1) for head, value in zip(self.heads, sums, strict=True)]
        ).sum()

    def velocity(self) -> dict[str, torch.Tensor]:
        """The momentum by parameter name, as it stands: read it to save, ``copy_`` into it to resume."""
        return self._momentum.velocity()
