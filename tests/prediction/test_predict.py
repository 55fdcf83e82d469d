"""Every pixel gets the best class at the image's own resolution."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline import determinism
from pipeline.backbones.shared.random_start import random_start
from pipeline.core.types import LabelSpec, Refusal
from pipeline.fcn.net import FCN
from pipeline.prediction.predict import STRIDE, Dense, predict
from pipeline.shards.reader import Example
from pipeline.spec import NetSpec
from tests.fcn.test_net import drawn
from tests.fcn.test_net import spec as net_spec

CPU = torch.device("cpu")
LABEL = LabelSpec(classes=("a", "b", "c"), palette=((0, 0, 0), (1, 1, 1), (2, 2, 2)))


class Brightest(nn.Module):
    """Scores class c by channel c of what it is given; dropout would show if evaluation were forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.9)
        self.seen: list[Tensor] = []

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        self.seen.append(image)
        assert torch.is_inference_mode_enabled()
        return {"semantic": self.dropout(image)}


def spec(*mean: float) -> NetSpec:
    return NetSpec(backbone="vgg16", width=1.0, crop=224, padding=100, mean=mean or (0.0, 0.0, 0.0))


def example(name: str, pixels: list[list[list[int]]]) -> Example:
    return Example(id=name, images={"color": np.array(pixels, np.uint8)}, labels={})


def test_the_largest_score_wins_and_the_first_of_equals() -> None:
    image = example("a", [[[9, 1, 1], [1, 9, 1], [1, 1, 9]], [[5, 5, 5], [0, 7, 7], [3, 3, 2]]])
    net = Brightest()
    ((same, labels),) = predict(net, spec(), [image], CPU)
    assert same is image
    assert labels["semantic"].dtype == np.uint8
    assert labels["semantic"].tolist() == [[0, 1, 2], [0, 1, 0]]


def test_the_mean_is_subtracted_and_images_keep_their_size() -> None:
    images = [example("a", [[[10, 20, 30]] * 5]), example("b", [[[1, 2, 3]]] * 4)]
    net = Brightest()
    shapes = [labels["semantic"].shape for _, labels in predict(net, spec(1.0, 2.0, 3.0), images, CPU)]
    assert shapes == [(1, 5), (4, 1)]
    assert net.seen[0].shape == (1, 3, 1, 5)
    assert net.seen[0][0, :, 0, 0].tolist() == [9.0, 18.0, 27.0]
    assert not torch.is_inference_mode_enabled()


def test_a_net_that_has_diverged_is_refused_not_scored_as_background() -> None:
    class Diverged(nn.Module):
        def forward(self, image: Tensor) -> dict[str, Tensor]:
            return {"semantic": image * float("nan")}

    with pytest.raises(Refusal, match=r"2007_000033: .*diverged"):
        list(predict(Diverged(), spec(), [example("2007_000033", [[[1, 1, 1]]])], CPU))


def undecided() -> tuple[nn.Module, Example]:
    """An FCN-8s that gives no class an advantage, and noise: nearly equal scores, which a rounding may turn."""
    net = drawn(net_spec(stride=8))
    pixels = np.random.default_rng(0).integers(0, 256, (150, 200, 3), np.uint8)
    with torch.no_grad():
        scores = net(torch.from_numpy(pixels).permute(2, 0, 1)[None] - torch.tensor(net.spec.mean).view(1, 3, 1, 1))
        net.semantic.score_fr.bias -= scores["semantic"].mean((0, 2, 3))
    return net, Example(id="noise", images={"color": pixels}, labels={})


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.usefixtures("flags")
def test_a_gpu_sees_in_at_least_999_of_1000_pixels_what_a_cpu_sees() -> None:
    net, image = undecided()
    maps = []
    for device in ("cpu", "cuda"):
        where = determinism.start({"threads": 1, "device": device})
        ((_, labels),) = predict(net, net.spec, [image], where)
        maps.append(labels["semantic"])
    assert (maps[0] == maps[1]).mean() >= 0.999


def coarsest(stride: int = 32, backbone: str = "vgg16") -> FCN:
    spec = NetSpec(
        backbone=backbone, width=0.02, crop=64, padding=20, mean=(0.0,) * 3, stride=stride, heads={"semantic": LABEL}
    )
    made = FCN(spec)
    random_start(made, spec, torch.Generator().manual_seed(1))
    with torch.no_grad():
        made.get_submodule("semantic").score_fr.weight.normal_(generator=torch.Generator().manual_seed(2))  # type: ignore[operator,union-attr]
    return made.eval()


def picture(height: int, width: int) -> torch.Tensor:
    return 57 * torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))


def stitched(net: FCN, image: torch.Tensor) -> torch.Tensor:
    """fc7 by shift-and-stitch: it runs on the image shifted by every multiple of 8 px below 32, its cells woven.

    N×C×h×w at every eighth pixel, as ``Dense.features``; 16 passes. Cells whose view reaches the shifted image's edge
    see other zeros than ``Dense``'s do.
    """
    steps = range(0, 32, STRIDE)
    rows = []
    for down in steps:
        row = [net.backbone(image[:, :, down:, right:])[32] for right in steps]
        width = min(part.shape[3] for part in row)
        rows.append(torch.stack([part[..., :width] for part in row], 4).flatten(3))
    height = min(row.shape[2] for row in rows)
    woven: torch.Tensor = torch.stack([row[:, :, :height] for row in rows], 3).flatten(2, 3)
    return woven


def test_it_equals_shift_and_stitch_out_of_sight_of_the_edge() -> None:
    """A VGG16 of crop 64 sees 244 pixels: cells nearer to an edge than that see other padding."""
    coarse, image = coarsest(), picture(608, 576)
    with torch.inference_mode():
        dense, woven = Dense(coarse).features(image), stitched(coarse, image)
    near = 20  # cells of 8 pixels
    inner = (slice(None), slice(None), slice(near, 608 // STRIDE - near), slice(near, 576 // STRIDE - near))
    assert dense[inner].numel() > 1000
    assert torch.allclose(dense[inner], woven[inner], rtol=1e-4, atol=1e-4)
    assert float(dense[inner].std()) > 0.01


def test_scores_are_finer_and_stand_where_the_coarse_ones_do() -> None:
    coarse, image = coarsest(), torch.zeros(1, 3, 352, 352)
    image[:, :, 128:224, 128:224] = 57 * torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        scores, dense = coarse(image)["semantic"], Dense(coarse)(image)["semantic"]
        moved = Dense(coarse)(image.roll((8, 16), (2, 3)))["semantic"]
    assert dense.shape == scores.shape
    assert torch.corrcoef(torch.stack([dense.flatten(), scores.flatten()]))[0, 1] > 0.8
    inner = (slice(None), slice(None), slice(96, 256), slice(96, 256))
    assert (moved - dense.roll((8, 16), (2, 3)))[inner].abs().max() < 0.02 * (dense.max() - dense.min())


@pytest.mark.parametrize("other", [{"stride": 16}, {"backbone": "googlenet"}])
def test_other_nets_are_refused(other: dict[str, object]) -> None:
    with pytest.raises(Refusal, match="only an FCN-32s of VGG16 can be scored densely"):
        Dense(coarsest(**other))  # type: ignore[arg-type]
