"""CaffeNet as BVLC published it, and the FCN-AlexNet the authors made of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.backbones import alexnet
from pipeline.backbones.shared.random_start import INPUT_STD, random_start
from pipeline.convolutionalize.convolutionalize import convolutionalize
from pipeline.core.types import LabelSpec, Refusal
from pipeline.fcn.net import FCN
from pipeline.spec import NetSpec
from pipeline.training import surgery
from pipeline.weights import checkpoint

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")
VOC = LabelSpec(classes=tuple(map(str, range(21))), palette=((0, 0, 0),) * 21)
SPEC = NetSpec(backbone="alexnet", width=0.02, crop=224, padding=100, mean=(123.0, 117.0, 104.0))
FULL = replace(SPEC, width=1.0, heads={"semantic": VOC})
# crop, padding: the authors', and for smaller windows of fc6 the least padding that serves every size
GEOMETRIES = [(224, 100), (224, 85), (96, 21), (64, 5), (64, 20)]


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


def test_parameters_are_the_papers_57_million() -> None:
    with torch.device("meta"):
        net = FCN(FULL)
    assert sum(parameter.numel() for parameter in net.parameters()) == 56_954_261
    assert net.backbone.fc6.weight.shape == (4096, 256, 6, 6)


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


def test_receptive_field_is_the_papers() -> None:
    """355 px every 32 px: from the layers, and as what a bright column moves."""
    net = alexnet.Backbone(SPEC).eval()
    convolutions = {name: module for name, module in net.named_modules() if isinstance(module, torch.nn.Conv2d)}
    field, stride = 1, 1
    for name, layer in convolutions.items():
        field, stride = field + (layer.kernel_size[1] - 1) * stride, stride * layer.stride[1]
        if name in ("conv1", "conv2", "conv5"):
            field, stride = field + 2 * stride, stride * 2
    assert (field, stride) == (355, 32)

    for layer in convolutions.values():
        torch.nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
    for cell in (6, 7):
        centre = int(net.coordinates[32].scale * cell + net.coordinates[32].shift)
        first, last = centre - field // 2, centre + field // 2
        images = torch.zeros(4, 3, 32, last + 40)
        for image, column in zip(images, (first - 1, first, last, last + 1), strict=True):
            image[:, :, column] = 1e6
        with torch.inference_mode():
            moved = net(images)[32][:, 0, 0, cell] > 0
        assert moved.tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("crop", "padding", "stride", "crops"),
    [
        (224, 100, 32, [18]),
        (224, 100, 16, [5, 18]),
        (224, 100, 8, [5, 10, 18]),
        (96, 36, 8, [1, 2, 18]),
        (64, 20, 8, [0, 0, 18]),
        (64, 5, 32, [3]),
    ],
)
def test_crops_are_derived_and_the_authors(crop: int, padding: int, stride: int, crops: list[int]) -> None:
    """18 behind a kernel of 63 is theirs; of finer nets they released none."""
    with torch.device("meta"):
        head = FCN(replace(FULL, crop=crop, padding=padding, stride=stride)).get_submodule("semantic")
    assert [*(-step.offset for step in head.steps), head.final.offset] == crops  # type: ignore[union-attr]
    assert (head.final.stride, head.final.kernel) == (stride, 2 * stride - 1)  # type: ignore[union-attr,comparison-overlap]
    assert all((step.stride, step.kernel) == (2, 3) for step in head.steps)  # type: ignore[union-attr]


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


def cells(size: int, padding: int, crop: int) -> dict[int, int]:
    """Cells of each stride along one axis, computed apart from the net."""
    count, size = {}, (size + 2 * padding - 11) // 4 + 1
    for stride in (8, 16, 32):
        size = count[stride] = -(-(size - 3) // 2) + 1
    return {**count, 32: count[32] - (crop // 32 - 1) + 1}


@pytest.mark.parametrize(("crop", "padding"), GEOMETRIES)
@pytest.mark.parametrize("stride", [32, 16, 8])
def test_scores_cover_every_size(crop: int, padding: int, stride: int) -> None:
    with torch.device("meta"):
        head = FCN(replace(FULL, crop=crop, padding=padding, stride=stride)).get_submodule("semantic")
    for size in range(32, 900):
        pyramid = cells(size, padding, crop)
        scores = pyramid[32]
        assert scores >= 1, size
        for fine, step in zip(head.skips, head.steps, strict=True):  # type: ignore[arg-type]
            scores = step.overlap(scores, pyramid[fine])
        assert head.final.length(scores) >= head.final.offset + size, size  # type: ignore[operator,union-attr]


@pytest.mark.parametrize(("crop", "padding"), GEOMETRIES)
def test_real_images_keep_their_size(crop: int, padding: int) -> None:
    nets = [
        FCN(replace(SPEC, crop=crop, padding=padding, stride=stride, heads={"semantic": VOC})).eval()
        for stride in (32, 16, 8)
    ]
    for height, width in ((32, 33), (65, 47), (96, 128), (62, 94), (333, 59)):
        with torch.inference_mode():
            pyramid = nets[0].backbone(torch.zeros(1, 3, height, width))
            for net in nets:
                assert net.get_submodule("semantic")(pyramid, height, width).shape == (1, 21, height, width)
        rows, columns = cells(height, padding, crop), cells(width, padding, crop)
        assert {s: tuple(f.shape[2:]) for s, f in pyramid.items()} == {s: (rows[s], columns[s]) for s in (8, 16, 32)}


@pytest.mark.parametrize(("crop", "padding"), [(64, 20), (96, 36)])
def test_scores_stand_where_the_image_does(crop: int, padding: int) -> None:
    """Moved by 32 px, an image on its mean moves its scores by 32 px: no crop is off by a cell."""
    spec = replace(SPEC, crop=crop, padding=padding, stride=8, width=0.05, heads={"semantic": VOC})
    net = FCN(spec)
    drawn(net)
    for name, parameter in net.named_parameters():
        if ".score_" in name:
            torch.nn.init.normal_(parameter, 0, 0.1, generator=torch.Generator().manual_seed(len(name)))
    image = torch.zeros(1, 3, 352, 352)
    image[:, :, 128:192, 128:192] = 57 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        here, there = (net(x)["semantic"] for x in (image, image.roll((32, 64), (2, 3))))
    inner = (slice(None), slice(None), slice(96, 288), slice(128, 320))
    moved = (there - here.roll((32, 64), (2, 3)))[inner]
    assert moved.abs().max() < 0.02 * (here.max() - here.min())


def message(number: int, value: bytes) -> bytes:
    """A length-delimited field of protobuf's wire format."""
    return bytes(varint(number << 3 | 2)) + bytes(varint(len(value))) + value


def varint(value: int) -> Iterator[int]:
    while value > 0x7F:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value


def blob(tensor: Tensor) -> bytes:
    """A BlobProto as in Caffe's files of 2014: four sizes, ones in front, then the numbers."""
    sizes = (1,) * (4 - tensor.dim()) + tuple(tensor.shape)
    shape = b"".join(bytes([i << 3, *varint(size)]) for i, size in enumerate(sizes, 1))
    return shape + message(5, tensor.numpy().astype("<f4").tobytes())


@pytest.mark.parametrize(("crop", "padding"), [(224, 100), (64, 5)])
def test_a_caffemodel_becomes_convolutions_that_say_the_same(tmp_path: Path, crop: int, padding: int) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    net = drawn(alexnet.Classifier(replace(SPEC, crop=crop), 7))
    state, parts = net.state_dict(), ("weight", "bias")
    layers = [
        message(4, layer.encode()) + b"".join(message(6, blob(state[f"{layer}.{part}"])) for part in parts)
        for layer in LAYERS
    ]
    relu, file = message(4, b"relu1"), "bvlc_reference_caffenet.caffemodel"
    (raw / file).write_bytes(b"".join(message(2, layer) for layer in [layers[0], relu, *layers[1:]]))
    facts = {"file": file, "format": "caffe", "order": "BGR", "range": 255, "crop": crop, "width": SPEC.width}
    facts |= {"mean": [104.0, 117.0, 123.0], "std": [1.0, 1.0, 1.0]}
    (raw / "manifest.json").write_text(json.dumps(facts))

    convolutionalize(raw, "alexnet", padding, tmp_path / "out")
    proof = json.loads((tmp_path / "out/alexnet-fcn.json").read_text())
    assert 0 <= proof["relative"] < 1e-5
    spec, tensors = checkpoint.load(tmp_path / "out/alexnet-fcn.safetensors")
    assert proof["parameters"] == sum(tensor.numel() for tensor in tensors.values())
    assert (spec.crop, spec.padding, spec.mean) == (crop, padding, (123.0, 117.0, 104.0))
    assert torch.equal(tensors["backbone.conv1.weight"], state["conv1.weight"].flip(1)), "RGB from BGR"
    assert torch.equal(tensors["backbone.conv4.weight"], state["conv4.weight"])
    assert torch.equal(tensors["backbone.fc6.weight"].flatten(1), state["fc6.weight"])

    child = replace(spec, stride=8, heads={"semantic": VOC})
    report = surgery.inherit(FCN(child), child, spec, tensors)
    assert {name for name, fate in report.items() if fate == "copied"} == {n for n in tensors if n[:5] != "score"}


def test_a_random_start_draws_grouped_filters_by_what_they_see() -> None:
    """Each layer's gain is the same, over half of the channels where there are two groups."""
    net = FCN(replace(SPEC, width=0.25, heads={"semantic": VOC}))
    report = random_start(net, net.spec, torch.Generator().manual_seed(0))
    assert {name for name, fate in report.items() if fate == "random"} == {f"backbone.{n}.weight" for n in LAYERS[:7]}
    gain = np.sqrt(2) * INPUT_STD ** (-1 / 8)
    for name in LAYERS[:5]:
        weight = net.backbone.get_submodule(name).weight
        assert float(weight.detach().std()) * np.sqrt(weight[0].numel()) == pytest.approx(gain, rel=0.05)


def test_dropout_is_element_wise_and_only_while_training() -> None:
    """fc7 made the identity on an fc6 of ones: an element is left where both layers keep it."""
    net = alexnet.Backbone(replace(SPEC, width=0.125, crop=64, padding=20))
    torch.nn.init.ones_(net.get_parameter("fc6.bias"))
    torch.nn.init.dirac_(net.get_parameter("fc7.weight"))
    image = torch.zeros(1, 3, 96, 96)

    def dropped(seed: int) -> Tensor:
        torch.manual_seed(seed)
        features: Tensor = net(image)[32]
        return features

    assert torch.equal(dropped(1), dropped(1)) and not torch.equal(dropped(1), dropped(2))
    kept = dropped(1).ne(0).float()
    assert 0.2 < kept.mean() < 0.3
    assert kept.flatten(2).amax(2).mean() > 0.9, "a channel falls out in parts"
    net.eval()
    assert torch.equal(dropped(1), torch.ones_like(kept))
