"""Every pixel gets the best class at the image's own resolution."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline import determinism
from pipeline.core.types import Refusal
from pipeline.evaluation.predict import predict
from pipeline.shards.reader import Example
from pipeline.spec import NetSpec
from tests.fcn.test_net import drawn
from tests.fcn.test_net import spec as net_spec

CPU = torch.device("cpu")


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


def test_images_are_asked_for_one_at_a_time() -> None:
    asked = []

    def images() -> Iterator[Example]:
        for name in "abc":
            asked.append(name)
            yield example(name, [[[0, 0, 0]]])

    next(predict(Brightest(), spec(), images(), CPU))
    assert asked == ["a"]


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
