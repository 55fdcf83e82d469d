"""Every pixel gets the best class at the image's own resolution."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.evaluation.predict import predict
from pipeline.shards.reader import Example
from pipeline.types import Refusal

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


def example(name: str, pixels: list[list[list[int]]]) -> Example:
    return Example(id=name, images={"color": np.array(pixels, np.uint8)}, labels={})


def test_the_largest_score_wins_and_the_first_of_equals() -> None:
    image = example("a", [[[9, 1, 1], [1, 9, 1], [1, 1, 9]], [[5, 5, 5], [0, 7, 7], [3, 3, 2]]])
    net = Brightest()
    ((same, labels),) = predict(net, (0.0, 0.0, 0.0), [image], "color", CPU)
    assert same is image
    assert labels["semantic"].dtype == np.uint8
    assert labels["semantic"].tolist() == [[0, 1, 2], [0, 1, 0]]


def test_the_mean_is_subtracted_and_images_keep_their_size() -> None:
    images = [example("a", [[[10, 20, 30]] * 5]), example("b", [[[1, 2, 3]]] * 4)]
    net = Brightest()
    shapes = [labels["semantic"].shape for _, labels in predict(net, (1.0, 2.0, 3.0), images, "color", CPU)]
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

    next(predict(Brightest(), (0.0, 0.0, 0.0), images(), "color", CPU))
    assert asked == ["a"]


def test_a_net_that_has_diverged_is_refused_not_scored_as_background() -> None:
    class Diverged(nn.Module):
        def forward(self, image: Tensor) -> dict[str, Tensor]:
            return {"semantic": image * float("nan")}

    with pytest.raises(Refusal, match=r"2007_000033: .*diverged"):
        list(predict(Diverged(), (0.0, 0.0, 0.0), [example("2007_000033", [[[1, 1, 1]]])], "color", CPU))
