"""Every tensor of a new net is accounted for, and none starts from nowhere."""

import math
from dataclasses import replace
from typing import Literal

import pytest
import torch

from pipeline.backbones.shared.random_start import INPUT_STD, random_start
from pipeline.core import plugins
from pipeline.core.types import LabelSpec, Refusal
from pipeline.fcn.net import FCN, make
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
    with pytest.raises(Refusal, match=r"score_pool4.weight has no place"):
        surgery.inherit(FCN(SPEC), SPEC, replace(SPEC, stride=16), FCN(replace(SPEC, stride=16)).state_dict())


OTHERS = LabelSpec(classes=("road", "car", "sky"), palette=((0, 0, 0),) * 3)
AS_MANY = LabelSpec(classes=("background", "dog"), palette=LABELS.palette)


@pytest.mark.parametrize("labels", [OTHERS, AS_MANY], ids=["more classes", "as many"])
@pytest.mark.parametrize("upsampling", ["fixed", "learned"])
@pytest.mark.parametrize(("theirs", "ours"), [(32, 8), (16, 16), (8, 32)], ids=["finer", "same stride", "coarser"])
def test_other_classes_take_all_but_the_score_layers(
    theirs: int, ours: int, upsampling: Literal["fixed", "learned"], labels: LabelSpec
) -> None:
    parent = FCN(replace(SPEC, stride=theirs, upsampling=upsampling))
    for number, tensor in enumerate(parent.state_dict().values(), 1):
        tensor.fill_(number)
    spec = replace(SPEC, stride=ours, upsampling=upsampling, heads={"semantic": labels}, mean=(1.0, 2.0, 3.0))
    net, fresh = FCN(spec), FCN(spec).state_dict()
    report = surgery.inherit(net, spec, parent.spec, parent.state_dict())
    for name, tensor in net.state_dict().items():
        head = name.startswith("semantic.")
        assert torch.equal(tensor, (fresh if head else parent.state_dict())[name])
        assert report.pop(name) == ("copied" if not head else "bilinear" if ".upscore" in name else "zero")
    dropped = {f"init's {name}" for name in parent.state_dict() if name.startswith("semantic.")}
    assert report == dict.fromkeys(dropped, surgery.DROPPED)


def test_only_the_head_of_other_classes_begins_anew() -> None:
    """In every stream; a head that the net has not is dropped, one of the same classes is held to the rules."""
    late = replace(SPEC, streams="late", inputs=("color", "hha"), mean=SPEC.mean * 2)
    parent = make(replace(late, heads={"semantic": LABELS, "parts": LABELS, "geometric": LABELS}))
    for tensor in parent.state_dict().values():
        tensor.fill_(7)
    spec = replace(late, heads={"semantic": OTHERS, "geometric": LABELS})
    net = make(spec)
    report = surgery.inherit(net, spec, parent.spec, parent.state_dict())
    zero = {name for name, tensor in net.state_dict().items() if not tensor.any()}
    layers = [f"{stream}.semantic.score_fr.{kind}" for stream in late.inputs for kind in ("weight", "bias")]
    assert zero == {*layers} == {name for name, fate in report.items() if fate == "zero"}
    assert len([name for name, fate in report.items() if fate == surgery.DROPPED]) == 8
    finer = make(replace(parent.spec, stride=16))
    with pytest.raises(Refusal, match=r"geometric.score_pool4.weight has no place"):
        surgery.inherit(net, spec, finer.spec, finer.state_dict())


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
