"""Stochastic gradient descent with momentum as Caffe does it: biases learn at twice the rate and do not decay."""

import torch
from torch.optim.sgd import sgd  # the SGD class imports torch's compiler when it is made: 4 s a process

BIAS_RATE = 2.0


class Momentum:
    """v ← m·v + (g + d·w), then w ← w − lr·v, for every parameter of ``net`` that takes gradients.

    Caffe keeps lr·v instead (SGDSolver); at a fixed rate the two are the same step. Weights have rate 1 and decay
    ``weight_decay``, parameters named ``bias`` rate 2 and decay 0, as in the authors' net.py. ``velocity`` is the
    momentum by the parameter's name: read it to save, ``copy_`` into it to resume.
    """

    def __init__(self, net: torch.nn.Module, *, momentum: float, weight_decay: float) -> None:
        self.momentum = momentum
        self.params: dict[str, torch.Tensor] = {
            name: param for name, param in net.named_parameters() if param.requires_grad
        }
        self.velocity = {name: torch.zeros_like(param) for name, param in self.params.items()}
        biases = [name for name in self.params if name.rpartition(".")[2] == "bias"]
        weights = [name for name in self.params if name not in biases]
        self._groups = [names for names in ((weights, 1.0, weight_decay), (biases, BIAS_RATE, 0.0)) if names[0]]

    @torch.no_grad()
    def update(self, lr: float) -> None:
        """Follow the gradients that backward left in the parameters, and drop them."""
        for names, rate, decay in self._groups:
            params = [self.params[name] for name in names]
            sgd(
                params,
                [torch.zeros_like(param) if param.grad is None else param.grad for param in params],
                [self.velocity[name] for name in names],
                has_sparse_grad=False,
                foreach=False,
                fused=True,  # one pass over memory instead of four: 0.4 ms instead of 1.4 for 2 M parameters
                momentum=self.momentum,
                weight_decay=decay,
                lr=lr * rate,
                dampening=0.0,
                nesterov=False,
                maximize=False,
            )
        for param in self.params.values():
            param.grad = None
