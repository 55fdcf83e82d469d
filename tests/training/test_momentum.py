"""The step is Caffe's: twice the rate and no decay for biases, and the same numbers as its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.training.momentum import Momentum

Weights = dict[str, np.ndarray]


def net() -> nn.Sequential:
    """Two convolutions with weights, biases and later gradients of order one."""
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1))
    generator = torch.Generator().manual_seed(0)
    for param in layers.parameters():
        nn.init.normal_(param, generator=generator)
    return layers


def gradients(layers: nn.Module, step: int) -> None:
    generator = torch.Generator().manual_seed(100 + step)
    for param in layers.parameters():
        param.grad = torch.randn(param.shape, generator=generator)


def caffe(weights: Weights, velocity: Weights, grads: Weights, *, lr: float, momentum: float, decay: float) -> None:
    """SGDSolver in float64: V ← momentum·V + rate·(∂ + decay·W); W ← W − V, each with its lr_mult and decay_mult."""
    for name, weight in weights.items():
        lr_mult, decay_mult = (2, 0) if name.endswith("bias") else (1, 1)
        velocity[name] = momentum * velocity[name] + lr * lr_mult * (grads[name] + decay * decay_mult * weight)
        weights[name] = weight - velocity[name]


@pytest.mark.parametrize(("lr", "momentum", "decay"), [(1e-2, 0.9, 5e-4), (1e-3, 0.99, 0.1), (0.1, 0.5, 0.0)])
def test_equals_caffes_update(lr: float, momentum: float, decay: float) -> None:
    layers = net()
    ours = Momentum(layers, momentum=momentum, weight_decay=decay)
    weights = {name: param.detach().double().numpy() for name, param in layers.named_parameters()}
    velocity = {name: np.zeros_like(weight) for name, weight in weights.items()}
    for step in range(10):
        gradients(layers, step)
        grads = {
            name: param.grad.double().numpy() for name, param in layers.named_parameters() if param.grad is not None
        }
        ours.update(lr)
        caffe(weights, velocity, grads, lr=lr, momentum=momentum, decay=decay)
    for name, param in layers.named_parameters():
        np.testing.assert_allclose(param.detach().numpy(), weights[name], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(
            ours.velocity()[name].numpy() * lr, velocity[name] / _rate(name), rtol=1e-4, atol=1e-6
        )


def _rate(name: str) -> float:
    return 2.0 if name.endswith("bias") else 1.0


def test_biases_learn_twice_as_fast_and_do_not_decay() -> None:
    layers = net()
    before = {name: param.detach().clone() for name, param in layers.named_parameters()}
    for param in layers.parameters():
        param.grad = torch.ones_like(param)
    Momentum(layers, momentum=0.9, weight_decay=0.5).update(0.1)
    for name, param in layers.named_parameters():
        step = 0.2 if name.endswith("bias") else 0.1 * (1 + 0.5 * before[name])
        torch.testing.assert_close(before[name] - param, torch.as_tensor(step).expand_as(param), rtol=1e-4, atol=1e-6)


def test_a_parameter_without_gradient_still_decays_and_rolls_on() -> None:
    layers = net()
    momentum = Momentum(layers, momentum=0.9, weight_decay=0.5)
    before = layers[0].weight.detach().clone()
    momentum.update(0.1)
    torch.testing.assert_close(layers[0].weight.detach(), before * 0.95)


def test_frozen_parameters_stand_still_and_gradients_are_dropped() -> None:
    layers = net()
    layers[1].requires_grad_(False)
    before = layers[1].weight.clone()
    momentum = Momentum(layers, momentum=0.9, weight_decay=0.5)
    layers(torch.ones(1, 3, 5, 5)).sum().backward()
    momentum.update(0.1)
    assert torch.equal(before, layers[1].weight)
    assert all(param.grad is None for param in layers.parameters())
    assert set(momentum.velocity()) == {"0.weight", "0.bias"}
