"""Every tensor of a new net is accounted for, and none starts from nowhere."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from pipeline.backbones.shared.random_start import INPUT_STD, random_start
from pipeline.core import plugins
from pipeline.core.types import LabelSpec, Refusal
from pipeline.fcn.net import FCN
from pipeline.spec import NetSpec
from pipeline.training import surgery

LABELS = LabelSpec(classes=("background", "cat"), palette=((0, 0, 0), (64, 0, 0)))
SPEC = NetSpec(
    backbone="vgg16", width=0.125, crop=96, padding=36, mean=(123.0, 117.0, 104.0), heads={"semantic": LABELS}
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_refuses_a_parent_of_other_make() -> None:
    parent = FCN(SPEC).state_dict()
    for changed in (
        {"mean": (103.0, 116.0, 123.0)},
        {"inputs": ("hha",)},
        {"crop": 224},
        {"width": 1.0},
        {"backbone": "googlenet"},
    ):
        with pytest.raises(Refusal, match=f"has {next(iter(changed))}"):
            surgery.inherit(FCN(SPEC), SPEC, replace(SPEC, **changed), parent)  # type: ignore[arg-type]
    with pytest.raises(Refusal, match=r"semantic\.score_fr\.weight has no place"):
        other = replace(SPEC, heads={"geometric": LABELS})
        surgery.inherit(FCN(other), other, SPEC, parent)
    with pytest.raises(Refusal, match=r"score_pool4.weight has no place"):
        surgery.inherit(FCN(SPEC), SPEC, replace(SPEC, stride=16), FCN(replace(SPEC, stride=16)).state_dict())
    with pytest.raises(Refusal, match=r"semantic.score_fr.weight is 3×512×1×1 in the net but 2×512×1×1 in the init"):
        three = replace(SPEC, heads={"semantic": LabelSpec(classes=("a", "b", "c"), palette=((0, 0, 0),) * 3)})
        surgery.inherit(FCN(three), three, SPEC, parent)


def test_filters_of_a_classifier_meet_hha_in_caffes_order() -> None:
    classifier = FCN(replace(SPEC, heads={}))
    random_start(classifier, SPEC, generator(3))
    tensors = {**classifier.state_dict(), "score.imagenet.weight": torch.zeros(1, 512, 1, 1)}
    color, hha = SPEC, replace(SPEC, inputs=("hha",), mean=(132.0, 94.0, 118.0))
    nets = [FCN(spec) for spec in (color, hha)]
    for net in nets:
        surgery.inherit(net, net.spec, SPEC, tensors)
    first, flipped = (net.backbone.conv1_1.weight for net in nets)
    assert torch.equal(first.flip(1), flipped)
    assert torch.equal(nets[0].backbone.conv1_2.weight, nets[1].backbone.conv1_2.weight)


# EfficientNet-Lite divides its input itself, and ReLU6 holds the rest: its own test looks.
@pytest.mark.parametrize("name", [name for name in plugins.names("backbones") if name != "efficientnet_lite"])
def test_a_random_net_quiets_down_as_a_caffe_trained_one(name: str) -> None:
    spec = replace(SPEC, backbone=name, crop=224, padding=100 if name != "googlenet" else 3, width=0.25)
    net = FCN(spec).eval()
    report = random_start(net, spec, generator())
    assert set(report) == set(net.state_dict())
    assert {fate for layer, fate in report.items() if layer.startswith("semantic.")} == {"zero"}
    image = INPUT_STD * torch.randn(1, 3, 224, 224, generator=generator(1))
    with torch.inference_mode():
        scale = {stride: math.sqrt(float(f.square().mean())) for stride, f in net.backbone(image).items()}
    assert 57 > scale[8] > scale[16] > scale[32] > 0.5
    assert scale[32] < 15
