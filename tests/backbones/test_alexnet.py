"""CaffeNet as BVLC published it, and the FCN-AlexNet the authors made of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from pipeline.backbones import alexnet
from pipeline.backbones.shared.random_start import random_start
from pipeline.convolutionalize.convolutionalize import convolutionalize
from pipeline.core.types import Refusal
from pipeline.spec import NetSpec
from pipeline.weights import checkpoint

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")
SPEC = NetSpec(backbone="alexnet", width=0.02, crop=224, padding=100, mean=(123.0, 117.0, 104.0))
FULL = replace(SPEC, width=1.0)


def drawn(net: torch.nn.Module) -> torch.nn.Module:
    """With random weights and biases in every layer, in evaluation mode."""
    generator = torch.Generator().manual_seed(0)
    random_start(net, SPEC, generator)
    for name, parameter in net.named_parameters():
        if name.endswith(".bias") or name.startswith("fc8"):
            torch.nn.init.normal_(parameter, 0, 0.1, generator=generator)
    return net.eval()


def test_layers_are_caffes_by_name_and_shape() -> None:
    """Shapes of ``bvlc_reference_caffenet.caffemodel``; a grouped convolution sees half of its input's channels."""
    with torch.device("meta"):
        full = alexnet.Classifier(FULL, 1000).state_dict()
    assert [*full] == [f"{layer}.{part}" for layer in LAYERS for part in ("weight", "bias")]
    assert [tuple(full[f"{layer}.weight"].shape) for layer in LAYERS] == [
        (96, 3, 11, 11),
        (256, 48, 5, 5),
        (384, 256, 3, 3),
        (384, 192, 3, 3),
        (256, 192, 3, 3),
        (4096, 9216),
        (4096, 4096),
        (1000, 4096),
    ]
    assert sum(tensor.numel() for tensor in full.values()) == 60_965_224


@pytest.mark.parametrize("crop", [227, 224])
def test_computes_what_caffes_prototxt_says(crop: int) -> None:
    """Written out with torch's own normalisation and each group a convolution of its own."""
    net = drawn(alexnet.Classifier(replace(SPEC, crop=crop), 7))
    weights = net.state_dict()

    def conv(x: Tensor, name: str, groups: int, stride: int = 1, padding: int = 0) -> Tensor:
        parts = zip(*(t.chunk(groups) for t in (weights[f"{name}.weight"], weights[f"{name}.bias"])), strict=True)
        inputs = x.chunk(groups, 1)
        outputs = [functional.conv2d(i, w, b, stride, padding) for i, (w, b) in zip(inputs, parts, strict=True)]
        return torch.cat(outputs, 1).relu()

    def norm(x: Tensor) -> Tensor:
        return functional.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=1.0)

    def pool(x: Tensor) -> Tensor:
        return functional.max_pool2d(x, 3, 2, ceil_mode=True)

    def linear(x: Tensor, name: str) -> Tensor:
        return functional.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    image = 57 * torch.randn(2, 3, crop, crop, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        x = norm(pool(conv(image, "conv1", 1, stride=4)))
        x = norm(pool(conv(x, "conv2", 2, padding=2)))
        x = pool(conv(conv(conv(x, "conv3", 1, padding=1), "conv4", 2, padding=1), "conv5", 2, padding=1))
        assert x.shape[2:] == (6, 6)
        want = linear(linear(linear(x.flatten(1), "fc6").relu(), "fc7").relu(), "fc8")
        assert torch.allclose(net(image), want, rtol=1e-4, atol=1e-4 * float(want.abs().max()))


@pytest.mark.parametrize(("crop", "window"), [(227, 6), (224, 6), (128, 3), (96, 2), (64, 1)])
def test_fc6_is_as_wide_as_pool5(crop: int, window: int) -> None:
    spec = replace(SPEC, crop=crop, padding=0)
    image = torch.zeros(1, 3, crop, crop)
    net = alexnet.Backbone(spec).eval()
    assert net.pyramid(image)[32].shape[2:] == net.fc6.kernel_size == (window, window)
    assert net(image)[32].shape[2:] == (1, 1)
    assert alexnet.Classifier(spec, 7).eval()(image).shape == (1, 7)


def test_refuses_a_crop_that_leaves_no_pool5() -> None:
    with pytest.raises(Refusal, match="a crop of 32 px leaves nothing of alexnet's pool5: make it 64 or more"):
        alexnet.Classifier(replace(SPEC, crop=32), 7)


@pytest.mark.parametrize("width", [0.01, 0.05, 0.125, 0.25, 0.3])
def test_groups_fit_every_width(width: int) -> None:
    net = alexnet.Backbone(replace(SPEC, width=width, crop=64, padding=5)).eval()
    assert all(len(net.get_parameter(f"{name}.bias")) % 2 == 0 for name in LAYERS[:5])
    assert net(torch.zeros(1, 3, 32, 32))[32].shape[1] == net.channels[32]


@pytest.mark.parametrize(("crop", "padding"), [(224, 100), (64, 5)])
def test_a_classifier_becomes_convolutions_that_say_the_same(tmp_path: Path, crop: int, padding: int) -> None:
    state = drawn(alexnet.Classifier(replace(SPEC, crop=crop), 7)).state_dict()
    (tmp_path / "raw").mkdir()
    save_file(state, tmp_path / "raw/net")
    facts = {"file": "net", "format": "classifier", "order": "BGR", "range": 255, "crop": crop, "width": SPEC.width}
    facts |= {"mean": [104.0, 117.0, 123.0], "std": [1.0] * 3, "classes": list(map(str, range(7)))}
    (tmp_path / "raw/manifest.json").write_text(json.dumps(facts))
    convolutionalize(tmp_path / "raw", "alexnet", padding, tmp_path / "out")
    assert 0 <= json.loads((tmp_path / "out/alexnet-fcn.json").read_text())["relative"] < 1e-5
    spec, tensors = checkpoint.load(tmp_path / "out/alexnet-fcn.safetensors")
    assert (spec.crop, spec.padding, spec.mean) == (crop, padding, (123.0, 117.0, 104.0))
    assert torch.equal(tensors["backbone.conv1.weight"], state["conv1.weight"].flip(1)), "RGB from BGR"
    assert torch.equal(tensors["backbone.conv4.weight"], state["conv4.weight"])
    assert torch.equal(tensors["backbone.fc6.weight"].flatten(1), state["fc6.weight"])
