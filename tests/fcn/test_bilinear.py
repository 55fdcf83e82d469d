"""The matrix products are the authors' transposed convolution, cropped."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from pipeline.fcn import inputs
from pipeline.fcn.bilinear import matrix, upsample_filter, upscore


def authors_filter(size: int) -> np.ndarray:
    """The published formula for both axes at once."""
    factor = (size + 1) // 2
    centre = factor - 1 if size % 2 == 1 else factor - 0.5
    rows, columns = np.ogrid[:size, :size]
    return (1 - abs(rows - centre) / factor) * (1 - abs(columns - centre) / factor)


@pytest.mark.parametrize("kernel", [3, 4, 15, 16, 31, 32, 63, 64])
def test_filter_is_the_authors(kernel: int) -> None:
    profile = upsample_filter(kernel)
    assert np.array_equal(np.outer(profile, profile), authors_filter(kernel))


@pytest.mark.parametrize(
    ("stride", "kernel", "offset"), [(32, 64, 19), (32, 63, 18), (16, 32, 27), (8, 16, 31), (2, 4, 0), (2, 3, 0)]
)
def test_equals_transposed_convolution_and_crop(stride: int, kernel: int, offset: int) -> None:
    x = torch.randn(2, 3, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    weight = torch.from_numpy(authors_filter(kernel)).expand(3, 1, kernel, kernel)
    full = functional.conv_transpose2d(x, weight, stride=stride, groups=3)
    height, width = full.shape[2] - offset - 1, full.shape[3] - offset - 2
    want = full[:, :, offset : offset + height, offset : offset + width]
    got = upscore(x, height, width, stride=stride, kernel=kernel, offset=offset)
    assert got.shape == want.shape
    assert (got - want).abs().max() < 1e-12

    pull = torch.randn(want.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    (want_grad,) = torch.autograd.grad(want, x, pull)
    (got_grad,) = torch.autograd.grad(got, x, pull)
    assert (got_grad - want_grad).abs().max() < 1e-12


@pytest.mark.usefixtures("flags")
def test_same_bits_in_any_batch_and_the_same_to_the_last_one_as_part_of_any_map() -> None:
    """On one thread, as stages compute. MKL on Intel sums the edges of a product in another order than its middle."""
    torch.set_num_threads(1)
    x = torch.randn(3, 21, 12, 16, generator=torch.Generator().manual_seed(0))
    whole = upscore(x, 300, 400, stride=32, kernel=64, offset=19)
    alone = upscore(x[1:2], 300, 400, stride=32, kernel=64, offset=19)
    part = upscore(x, 100, 90, stride=32, kernel=64, offset=19)
    assert torch.equal(whole[1:2], alone)
    assert (whole[:, :, :100, :90] - part).abs().max() <= 2 * torch.finfo(torch.float32).eps * whole.abs().max()


def test_a_matrix_made_while_predicting_serves_training() -> None:
    matrix.cache_clear()
    x = torch.ones(1, 2, 3, 3)
    with torch.inference_mode():
        upscore(x, 96, 96, stride=32, kernel=64, offset=16)
    x.requires_grad_()
    upscore(x, 96, 96, stride=32, kernel=64, offset=16).sum().backward()
    assert x.grad is not None


def test_a_mean_becomes_the_nearest_pixel_of_each_column() -> None:
    pixels = inputs.unstacked((10.4, 20.6, 30.0, float(np.log(2550))), ("color", "depth"))
    assert (pixels["color"].tolist(), pixels["depth"].tolist()) == ([10, 21, 30], [2550])
