"""Tiles say what the whole says, as long as they overlap by what a pixel's scores depend on."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.fcn.net import make
from pipeline.serving import tiles
from pipeline.serving.tiles import Reach
from pipeline.spec import NetSpec
from tests.serving.world import MEAN, net, photograph, spec

NETS = {
    "vgg16-8": spec(stride=8),
    "vgg16-8-padding-100": spec(stride=8, padding=100, crop=224),
    "vgg16-8-learned": spec(stride=8, upsampling="learned"),
    "alexnet-8": spec("alexnet", stride=8),
    "googlenet-8": spec("googlenet", stride=8),
    "late": spec(stride=16, inputs=("color", "hha"), streams="late", mean=MEAN * 2),
}


@pytest.fixture(params=NETS.values(), ids=NETS.keys())
def net_spec(request: pytest.FixtureRequest) -> NetSpec:
    return request.param  # type: ignore[no-any-return]


def scored(double: nn.Module, image: Tensor) -> Tensor:
    with torch.inference_mode():
        scores: Tensor = double(image)["semantic"]
    return scores


def image_of(net_spec: NetSpec, height: int, width: int) -> Tensor:
    pixels = torch.from_numpy(photograph(height, width)).permute(2, 0, 1)[None].double() - 117
    return pixels.repeat(1, len(net_spec.mean) // 3, 1, 1)


def tiled(double: nn.Module, image: Tensor, plan: list[tiles.Tile]) -> Tensor:
    whole = torch.full((1, 21, *image.shape[2:]), torch.nan, dtype=torch.float64)
    for tile in plan:
        ((top, bottom), (left, right)), ((first, last), (begin, end)) = tile.shown, tile.kept
        scores = scored(double, image[:, :, top:bottom, left:right])
        whole[:, :, first:last, begin:end] = scores[:, :, first - top : last - top, begin - left : end - left]
    return whole


def test_scores_of_tiles_are_those_of_the_whole(net_spec: NetSpec) -> None:
    """In double precision, so that what is left of a difference is rounding; smaller tiles are an approximation."""
    double, reach = net(net_spec).double(), tiles.reach(net_spec)
    image = image_of(net_spec, reach.side + 45 if net_spec is NETS["vgg16-8"] else 40, reach.side + 131)
    whole, plan = scored(double, image), tiles.cut(*image.shape[2:], reach.side, reach)
    assert len(plan) >= 3
    assert (tiled(double, image, plan) - whole).abs().max() < 1e-12 * whole.std()
    assert (tiled(double, image, tiles.cut(*image.shape[2:], 128, reach)) - whole).abs().max() > 1e-3


def test_a_pixel_depends_on_no_other_pixels_than_its_reach_says_and_on_the_outermost_of_them(net_spec: NetSpec) -> None:
    """A column is lit, weights are positive and there are no biases: what is not 0 has seen it."""
    reach, double = tiles.reach(net_spec), make(net_spec).double().eval()
    for parameter in double.parameters():
        nn.init.constant_(parameter, 1 / parameter[0].numel() if parameter.ndim > 1 else 0)
    first = reach.after + 40
    image = torch.zeros(32, len(net_spec.mean), 32, first + 32 + reach.before + 40, dtype=torch.float64)
    for place in range(32):  # wherever it lies between two cells of the coarsest map
        image[place, :, :, first + place] = 100
    before, after = 0, 0
    scored_apart = [scores for part in image.split(4) for scores in scored(double, part)]
    for place, scores in enumerate(scored_apart):
        lit = scores.amax((0, 1)).nonzero().flatten()
        before, after = max(before, int(lit[-1]) - first - place), max(after, first + place - int(lit[0]))
    assert (before, after) == (reach.before, reach.after)


@pytest.mark.parametrize("reach", [Reach(245, 245), Reach(3, 70), Reach(0, 0)])
def test_every_pixel_is_kept_once_and_in_one_tile_with_all_it_depends_on(reach: Reach) -> None:
    for (height, width), side in product(
        [(1, 1), (33, 2000), (1500, 801)], [64, 96, reach.side + 64, reach.side + 320]
    ):
        exact = side >= reach.side
        kept = np.zeros((height, width), int)
        for tile in tiles.cut(height, width, side, reach):
            for length, (start, end), (first, last) in zip((height, width), tile.shown, tile.kept, strict=True):
                assert start % 32 == 0 and end - start <= side and end <= length
                assert not exact or start == 0 or first - start >= reach.before
                assert not exact or end == length or end - last >= reach.after
            kept[slice(*tile.kept[0]), slice(*tile.kept[1])] += 1
        assert (kept == 1).all()


def test_the_papers_fcn_8s_looks_245_pixels_far() -> None:
    """Half of a window of 404 px and of the upsamplings' kernels, in exact numbers (404 + 2·31 + …) / 2."""
    full = spec(stride=8, padding=100, crop=224, width=1.0)
    assert tiles.reach(full) == Reach(245, 245)
    assert tiles.reach(full).side == 544
