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


def classifier_tensors() -> dict[str, torch.Tensor]:
    """What a convolutionalized classifier's file holds."""
    net = FCN(SPEC)
    random_start(net, SPEC, generator(5))
    tensors = {name: tensor for name, tensor in net.state_dict().items() if name.startswith("backbone.")}
    return {**tensors, "score.imagenet.weight": torch.ones(7, 512, 1, 1), "score.imagenet.bias": torch.ones(7)}


def test_a_net_inherits_a_classifier_and_scores_nothing_yet() -> None:
    spec = replace(SPEC, stride=8)
    net, tensors = FCN(spec), classifier_tensors()
    report = surgery.inherit(net, spec, replace(SPEC, heads={"imagenet": LABELS}, padding=100), tensors)
    assert set(report) == set(net.state_dict())
    assert {name for name, fate in report.items() if fate == "zero"} == {
        f"semantic.score_{layer}.{part}" for layer in ("fr", "pool4", "pool3") for part in ("weight", "bias")
    }
    assert set(report.values()) == {"copied", "zero"}
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, tensors[name]) if name in tensors else not tensor.any()


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


def test_transplant_fills_a_convolution_from_a_fully_connected_layer() -> None:
    net = torch.nn.Module()
    net.fc6 = torch.nn.Conv2d(2, 4, 3)
    weight = torch.arange(72.0).view(4, 18)
    report = surgery.transplant(net, {"fc6.weight": weight, "fc6.bias": torch.ones(4)})
    assert report == {"fc6.weight": "reshaped", "fc6.bias": "copied"}
    assert torch.equal(net.fc6.weight[1, 1, 2], weight[1, 9 + 6 : 9 + 9]), "channel, row, column, in this order"


def test_transplant_changes_nothing_when_it_refuses() -> None:
    net = torch.nn.Module()
    net.a, net.b = torch.nn.Linear(2, 3), torch.nn.Linear(3, 2)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    donors = {name: torch.zeros_like(tensor) for name, tensor in before.items()}
    cases = {
        "nothing to fill b.bias": {name: donors[name] for name in donors if name != "b.bias"},
        "c.weight has no place": {**donors, "c.weight": torch.zeros(1)},
        "b.weight is 2×3 in the net but 3×2": {**donors, "b.weight": torch.zeros(3, 2)},
    }
    for message, tensors in cases.items():
        with pytest.raises(Refusal, match=message):
            surgery.transplant(net, tensors)
        assert all(torch.equal(net.state_dict()[name], tensor) for name, tensor in before.items())
    report = surgery.transplant(net, cases["c.weight has no place"], dropped=["c.*"])
    assert set(report.values()) == {"copied"}


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
