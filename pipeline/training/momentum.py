"""Stochastic gradient descent with momentum as Caffe does it: biases learn at twice the rate and do not decay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.optim.sgd import sgd  # the SGD class imports torch's compiler when it is made: 4 s a process

BIAS_RATE = 2.0


@dataclass(frozen=True, kw_only=True)
class _Group:
    names: list[str]
    params: list[torch.Tensor]
    velocity: list[torch.Tensor]
    rate: float
    decay: float


class Momentum:
    """v ← m·v + (g + d·w), then w ← w − lr·v, for every parameter of ``net`` that takes gradients.

    Caffe keeps lr·v instead (SGDSolver); at a fixed rate the two are the same step. Weights have rate 1 and decay
    ``weight_decay``, parameters named ``bias`` rate 2 and decay 0, as in the authors' net.py.
    """

    def __init__(self, net: torch.nn.Module, *, momentum: float, weight_decay: float) -> None:
        self.momentum = momentum
        params = {name: param for name, param in net.named_parameters() if param.requires_grad}
        biases = {name: param for name, param in params.items() if name.rpartition(".")[2] == "bias"}
        weights = {name: param for name, param in params.items() if name not in biases}
        self._groups = [_group(weights, 1.0, weight_decay), _group(biases, BIAS_RATE, 0.0)]

    @torch.no_grad()
    def update(self, lr: float) -> None:
        """Follow the gradients that backward left in the parameters, and drop them."""
        for group in self._groups:
            if not group.params:
                continue
            sgd(
                group.params,
                [torch.zeros_like(param) if param.grad is None else param.grad for param in group.params],
                list(group.velocity),
                has_sparse_grad=False,
                foreach=False,
                fused=True,  # one pass over memory instead of four: 0.4 ms instead of 1.4 for 2 M parameters
                momentum=self.momentum,
                weight_decay=group.decay,
                lr=lr * group.rate,
                dampening=0.0,
                nesterov=False,
                maximize=False,
            )
            for param in group.params:
                param.grad = None

    def velocity(self) -> dict[str, torch.Tensor]:
        """The momentum of each parameter, by the parameter's name; the tensors themselves, not copies."""
        return {name: v for group in self._groups for name, v in zip(group.names, group.velocity, strict=True)}


def _group(params: Mapping[str, torch.Tensor], rate: float, decay: float) -> _Group:
    return _Group(
        names=list(params),
        params=list(params.values()),
        velocity=[torch.zeros_like(param) for param in params.values()],
        rate=rate,
        decay=decay,
    )
