"""Layers compute what torch computes: convolutions with a quarter of the products, and Caffe's normalisation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.backbones.shared import winograd
from pipeline.backbones.shared.layers import Conv2d, Sliding
from pipeline.backbones.shared.lrn import lrn


def made(n: int, height: int, width: int, dtype: torch.dtype, wide: int = 16, deep: int = 8) -> list[Tensor]:
    """An image, a weight scaled to keep it alive, and a bias; all want gradients."""
    generator = torch.Generator().manual_seed(height)
    shapes = (n, deep, height, width), (wide, deep, 3, 3), (wide,)
    scales = 1.0, (9 * deep) ** -0.5, 1.0
    numbers = [scale * torch.randn(*shape, generator=generator) for scale, shape in zip(scales, shapes, strict=True)]
    return [tensor.to(dtype).requires_grad_() for tensor in numbers]


def results(convolve: type[torch.autograd.Function] | None, tensors: list[Tensor]) -> list[Tensor]:
    """The scores, and the gradients of a sum in which each of them counts differently."""
    scores = convolve.apply(*tensors) if convolve else functional.conv2d(*tensors, padding=1)
    counts = torch.linspace(-1, 1, scores.numel()).to(scores).view(scores.shape)
    return [scores.detach(), *torch.autograd.grad((scores * counts).sum(), tensors)]


@pytest.mark.parametrize(("height", "width"), [(19, 22), (4, 4), (1, 5), (20, 21)])
@pytest.mark.parametrize("n", [1, 2])
def test_it_is_the_convolution(n: int, height: int, width: int) -> None:
    tensors = made(n, height, width, torch.float64)
    for got, want in zip(results(winograd.Winograd, tensors), results(None, tensors), strict=True):
        assert got.shape == want.shape
        assert float((got - want).abs().max()) <= 1e-12 * float(want.abs().max())


def test_in_single_precision_it_stays_within_a_digit_of_the_nine_products() -> None:
    tensors = made(1, 40, 44, torch.float32, wide=128, deep=128)
    exact = results(None, [tensor.detach().double().requires_grad_() for tensor in tensors])
    for got, plain, want in zip(results(winograd.Winograd, tensors), results(None, tensors), exact, strict=True):
        error, usual = (float((map_.double() - want).abs().max() / want.abs().max()) for map_ in (got, plain))
        assert error <= max(10 * usual, 1e-5)


def test_layers_choose_by_shape_and_only_on_a_cpu_in_full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(
        winograd.Winograd, "apply", lambda *tensors: asked.append(tensors) or functional.conv2d(*tensors, padding=1)
    )
    layer, image = Conv2d(128, 128, 3, padding=1), torch.zeros(1, 128, 24, 24)
    layer(image)
    layer(image[..., :16])  # too small a map to pay
    Conv2d(128, 128, 3, padding=1, groups=2)(image)
    with torch.autocast("cpu", torch.bfloat16):
        layer(image)
    layer.to("meta")(image.to("meta"))
    assert len(asked) == 1


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize(
    "layer",
    [
        Sliding(6, 8, (4, 3)),
        Conv2d(6, 8, 1),
        Conv2d(6, 8, 1, stride=2, bias=False),
        Conv2d(6, 8, 3, padding=1, groups=2),
        Conv2d(6, 8, 3, stride=2, padding=2, dilation=2),
        Conv2d(6, 8, 5, padding=6),
    ],
    ids=str,
)
def test_a_layer_computes_its_convolution_and_its_gradients(layer: Conv2d, n: int) -> None:
    generator = torch.Generator().manual_seed(0)
    for parameter in layer.double().parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    image = torch.randn(n, 6, 9, 8, generator=generator, dtype=torch.float64, requires_grad=True)
    parts = layer.weight, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups
    found, want = layer(image), functional.conv2d(image, *parts)
    counts = torch.linspace(-1, 1, want.numel(), dtype=torch.float64).view(want.shape)
    tensors = [image, *layer.parameters()]
    for got, expected in zip(
        [found, *torch.autograd.grad((found * counts).sum(), tensors)],
        [want, *torch.autograd.grad((want * counts).sum(), tensors)],
        strict=True,
    ):
        assert torch.allclose(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("channels", [1, 2, 3, 8, 64])
def test_lrn_is_torchs_and_so_is_its_gradient(channels: int) -> None:
    generator = torch.Generator().manual_seed(channels)
    x = (100 * torch.randn(2, channels, 3, 4, dtype=torch.float64, generator=generator)).requires_grad_()
    want, got = functional.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=1.0), lrn(x)
    assert (got - want).abs().max() < 1e-10
    pull = torch.randn(want.shape, dtype=torch.float64, generator=generator)
    (want_grad,), (got_grad,) = (torch.autograd.grad(y, x, pull) for y in (want, got))
    assert (got_grad - want_grad).abs().max() < 1e-10
