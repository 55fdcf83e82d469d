"""What is left out of the padding and put back changes no sum: scores and gradients are those of the whole map."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.backbones.shared import border
from pipeline.backbones.shared.border import Axis, Border, Run, Window
from pipeline.backbones.vgg16 import WINDOWS, Backbone
from pipeline.spec import NetSpec

SIZES = [(97, 120), (64, 65), (33, 40)]


def led(net: Backbone, image: Tensor) -> list[Tensor]:
    """Every map of the pyramid, and the gradients of a sum in which each cell counts differently."""
    pyramid = net(image)
    total = sum((map_ * torch.linspace(-1, 1, map_.numel()).double().view_as(map_)).sum() for map_ in pyramid.values())
    return [*pyramid.values(), *torch.autograd.grad(total, list(net.parameters()))]


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize(("padding", "crop"), [(100, 224), (57, 128), (4, 64)])
def test_nothing_shows_that_rows_were_left_out(
    height: int, width: int, padding: int, crop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = NetSpec(backbone="vgg16", width=0.125, crop=crop, padding=padding, mean=(0.0,) * 3)
    net, generator = Backbone(spec).double().eval(), torch.Generator().manual_seed(0)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, 0, 0.08, generator=generator)
    image = torch.randn(1, 3, height, width, generator=generator, dtype=torch.float64)
    got = led(net, image)
    monkeypatch.setattr(border.Axis, "of", lambda length, padding, blocks: Axis(((0, 0),) * 6, ((Run(0, 1),) * 2,) * 5))
    for cell, want in zip(got, led(net, image), strict=True):
        assert cell.shape == want.shape
        assert float((cell - want).detach().abs().max()) <= 1e-13 * float(want.detach().abs().max())


def test_the_authors_padding_leaves_most_of_itself_out_and_four_pixels_nothing() -> None:
    """A 500×375 image: of each block's input so many rows and columns need no computing; from conv4 on, none."""
    image = torch.empty(1, 3, 375, 500)
    height, width = Border(image, 100, WINDOWS).axes
    assert height.cuts == ((92, 94), (40, 42), (12, 12), (0, 0), (0, 0), (0, 0))
    assert width.cuts == ((92, 92), (40, 40), (12, 12), (0, 0), (0, 0), (0, 0))
    assert all(cuts == (0, 0) for axis in Border(image, 4, WINDOWS).axes for cuts in axis.cuts)


def test_what_stands_for_others_gathers_their_gradients() -> None:
    windows = ((Window(kernel=3), Window(kernel=2, stride=2)),)
    image = torch.randn(1, 2, 9, 12, dtype=torch.float64)
    weight = torch.randn(3, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    border = Border(image, 20, windows)
    short = functional.max_pool2d(functional.conv2d(border.padded(image), weight), 2, 2, ceil_mode=True)
    whole = functional.max_pool2d(functional.conv2d(functional.pad(image, (20,) * 4), weight), 2, 2, ceil_mode=True)
    assert short.numel() < whole.numel() / 4
    assert torch.allclose(border.whole(short, 1), whole, rtol=1e-12, atol=1e-12)
    counts = torch.randn(whole.shape, dtype=torch.float64)
    (got,) = torch.autograd.grad((border.whole(short, 1) * counts).sum(), weight)
    (want,) = torch.autograd.grad((whole * counts).sum(), weight)
    assert torch.allclose(got, want, rtol=1e-12, atol=1e-12)


def test_a_map_without_numbers_is_led_through_whole() -> None:
    """So that geometry and operations are counted as the net is drawn."""
    border = Border(torch.empty(1, 3, 64, 64, device="meta"), 100, WINDOWS)
    assert (border.axes, border.padded(torch.empty(1, 3, 64, 64)).shape) == ((), (1, 3, 264, 264))
