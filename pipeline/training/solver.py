"""One iteration of training: forward, loss, backward over the images of a batch, and one step of the weights."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch

from pipeline import determinism
from pipeline.core.types import LabelSpec, Refusal
from pipeline.runtime.distributed import ALONE, Group
from pipeline.training.feed import Item
from pipeline.training.loss import Tally, cross_entropy
from pipeline.training.momentum import Momentum
from pipeline.training.recipe import SolverSpec


class _ImageLoss(NamedTuple):
    """An image's losses, summed over its valid pixels, by head."""

    id: str
    loss: dict[str, float]
    valid: dict[str, int]


class Solver:
    """Trains ``net`` in place as ``spec`` says; ``heads`` maps each of the net's outputs to its classes.

    ``weights`` are what a pixel of each class counts, for heads whose classes are balanced. Only parameters that take
    gradients are trained. Each process of ``group`` has a Solver of its own and steps with its share of every batch;
    all follow the same gradient and stay equal to the bit.

    What it needs to resume is ``iteration`` (how many are done), the net's weights and ``velocity``.
    """

    def __init__(
        self,
        net: torch.nn.Module,
        spec: SolverSpec,
        heads: Mapping[str, LabelSpec],
        weights: Mapping[str, torch.Tensor] | None = None,
        group: Group = ALONE,
    ) -> None:
        self.net = net
        self.weights = weights or {}
        self.spec = spec
        self.heads = heads
        self.group = group
        self.iteration = 0
        self._momentum = Momentum(net, momentum=spec.momentum, weight_decay=spec.weight_decay)
        self.velocity = self._momentum.velocity

    def step(self, share: Sequence[Item]) -> Tally:
        """Follow the average of the batch's gradients; returns its images' losses, summed over pixels, by head.

        ``share`` are this process's items of the batch. Images go through the net one by one, for they differ in size.
        Dropout is a pure function of (seed, draw).

        Raises Refusal before touching the weights when a loss is not finite, naming iteration and image: in every
        process, whichever computed it.
        """
        size = self.spec.batch // self.spec.virtual_ranks
        params = list(self._momentum.params.values())
        losses: list[_ImageLoss] = []
        gradients = []
        for first in range(0, len(share), size):
            losses += [self._backward(item) for item in share[first : first + size]]
            gradients.append([_take_gradient(param) for param in params])
        tally = self._tally(image for part in self.group.gather(losses) for image in part)
        for param, *parts in zip(params, *gradients, strict=True):
            param.grad, *others = self.group.stack(parts)
            for other in others:  # ((p0 + p1) + p2) + …: floats add up differently in any other order
                param.grad += other
        self._momentum.update(self.spec.rate(self.iteration))
        self.iteration += 1
        return tally

    def _backward(self, item: Item) -> _ImageLoss:
        """Add the image's share of the step to the parameters' gradients; heads weigh alike."""
        determinism.reseed(self.spec.seed, item.draw)
        scores = self.net(item.image)
        sums = [
            cross_entropy(scores[head], item.labels[head], spec.ignore_label, self.weights.get(head))
            for head, spec in self.heads.items()
        ]
        loss = dict(zip(self.heads, torch.stack(sums).tolist(), strict=True))
        if self.spec.reduction == "mean":
            sums = [value / max(item.valid[head], 1) for head, value in zip(self.heads, sums, strict=True)]
        torch.stack(sums).sum().div(self.spec.batch).backward()  # type: ignore[no-untyped-call]
        return _ImageLoss(item.id, loss, item.valid)

    def _tally(self, images: Iterable[_ImageLoss]) -> Tally:
        loss = dict.fromkeys(self.heads, 0.0)
        count = dict.fromkeys(self.heads, 0)
        for image in images:
            for head, value in image.loss.items():
                if not math.isfinite(value):
                    raise Refusal(f"loss is {value} at iteration {self.iteration} on {image.id}: lower solver.lr")
                loss[head] += value
                count[head] += image.valid[head]
        return Tally(loss=loss, count=count)


def _take_gradient(param: torch.Tensor) -> torch.Tensor:
    """The gradient that backward left, zero where it left none; the next one starts from zero."""
    gradient, param.grad = param.grad, None
    return torch.zeros_like(param) if gradient is None else gradient
