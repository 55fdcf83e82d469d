"""The step is Caffe's: twice the rate and no decay for biases, and the same numbers as its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.training.momentum import Momentum


def net() -> nn.Sequential:
    """Two convolutions with weights, biases and later gradients of order one."""
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1))
    generator = torch.Generator().manual_seed(0)
    for param in layers.parameters():
        nn.init.normal_(param, generator=generator)
    return layers


@pytest.mark.parametrize(("lr", "momentum", "decay"), [(1e-2, 0.9, 5e-4), (1e-3, 0.99, 0.1), (0.1, 0.5, 0.0)])
def test_equals_caffes_update(lr: float, momentum: float, decay: float) -> None:
    """SGDSolver in float64: V ← momentum·V + rate·(∂ + decay·W); W ← W − V, each with its lr_mult and decay_mult."""
    layers, generator = net(), torch.Generator().manual_seed(100)
    ours = Momentum(layers, momentum=momentum, weight_decay=decay)
    weights = {name: param.detach().double().numpy() for name, param in layers.named_parameters()}
    velocity = {name: np.zeros_like(weight) for name, weight in weights.items()}
    for _ in range(10):
        for name, param in layers.named_parameters():
            param.grad = torch.randn(param.shape, generator=generator)
            rate, decayed = (2, 0) if name.endswith("bias") else (1, decay)
            step = param.grad.double().numpy() + decayed * weights[name]
            velocity[name] = momentum * velocity[name] + lr * rate * step
            weights[name] = weights[name] - velocity[name]
        ours.update(lr)
    for name, param in layers.named_parameters():
        np.testing.assert_allclose(param.detach().numpy(), weights[name], rtol=1e-5, atol=1e-6)
        rate = 2 if name.endswith("bias") else 1
        np.testing.assert_allclose(ours.velocity[name].numpy() * lr, velocity[name] / rate, rtol=1e-4, atol=1e-6)


def test_a_parameter_without_gradient_still_decays_and_rolls_on() -> None:
    layers = net()
    before = layers[0].weight.detach().clone()
    Momentum(layers, momentum=0.9, weight_decay=0.5).update(0.1)
    torch.testing.assert_close(layers[0].weight.detach(), before * 0.95)


def test_frozen_parameters_do_not_move_and_gradients_are_dropped() -> None:
    layers = net()
    layers[1].requires_grad_(False)
    before = layers[1].weight.clone()
    momentum = Momentum(layers, momentum=0.9, weight_decay=0.5)
    layers(torch.ones(1, 3, 5, 5)).sum().backward()
    momentum.update(0.1)
    assert torch.equal(before, layers[1].weight)
    assert all(param.grad is None for param in layers.parameters())
    assert set(momentum.velocity) == {"0.weight", "0.bias"}
