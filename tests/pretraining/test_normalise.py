"""Batch normalisation leaves no trace but in the weights: folded, the net is the same function of the same layers."""

from __future__ import annotations

import pytest
import torch

from pipeline.backbones.shared.random_start import INPUT_STD, random_start
from pipeline.core import plugins
from pipeline.pretraining.normalise import normalise, unnormalise
from pipeline.spec import NetSpec

MEAN = (0.0, 0.0, 0.0)


@pytest.mark.parametrize("key", ["vgg16", "googlenet"])
def test_folding_keeps_the_function_and_the_names(key: str) -> None:
    backbone = plugins.load("backbones", key)
    spec = NetSpec(backbone=key, width=1 / 64, crop=32, padding=0, mean=MEAN)
    generator = torch.Generator().manual_seed(0)
    net = backbone.Classifier(spec, 3)
    random_start(net, spec, generator)
    last = net.get_parameter(f"{backbone.LAST}.weight")
    torch.nn.init.normal_(last, generator=generator)
    names = list(net.state_dict())
    normalise(net.train(), backbone.LAST)
    images = torch.randn(16, 3, 32, 32, generator=generator) * INPUT_STD
    for _ in range(3):
        net(images)
    with torch.inference_mode():
        before = net.eval()(images)
    unnormalise(net)
    with torch.inference_mode():
        after = net(images)
    assert list(net.state_dict()) == names
    assert before.std() > 0.1
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-3)


def test_activations_decline_from_pixels_to_one() -> None:
    backbone = plugins.load("backbones", "vgg16")
    net = backbone.Classifier(NetSpec(backbone="vgg16", width=1 / 64, crop=32, padding=0, mean=MEAN), 3)
    scales = [scale for _, scale in normalise(net, backbone.LAST)][::2]
    assert len(scales) == 15
    assert scales[0] == pytest.approx(INPUT_STD ** (14 / 15))
    assert scales[-1] == 1
    assert scales == sorted(scales, reverse=True)
