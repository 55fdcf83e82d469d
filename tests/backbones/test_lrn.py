"""Our local response normalisation is Caffe's."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from pipeline.backbones.shared.layers import lrn


@pytest.mark.parametrize("channels", [1, 2, 3, 8, 64])
def test_equals_torch_and_its_gradient(channels: int) -> None:
    generator = torch.Generator().manual_seed(channels)
    x = (100 * torch.randn(2, channels, 3, 4, dtype=torch.float64, generator=generator)).requires_grad_()
    want, got = functional.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=1.0), lrn(x)
    assert (got - want).abs().max() < 1e-10
    pull = torch.randn(want.shape, dtype=torch.float64, generator=generator)
    (want_grad,), (got_grad,) = (torch.autograd.grad(y, x, pull) for y in (want, got))
    assert (got_grad - want_grad).abs().max() < 1e-10
