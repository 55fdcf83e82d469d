"""The net is the authors': their crops, their parameters, and as many scores as pixels for any image."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from pipeline.backbones.shared.random_start import random_start
from pipeline.core.types import LabelSpec, Refusal
from pipeline.fcn.bilinear import upscore
from pipeline.fcn.net import FCN, build, make
from pipeline.spec import Coordinates, NetSpec
from pipeline.training import surgery
from pipeline.weights import checkpoint

MEAN = (123.0, 117.0, 104.0)


def labels(classes: int) -> LabelSpec:
    return LabelSpec(classes=tuple(str(i) for i in range(classes)), palette=((0, 0, 0),) * classes)


def spec(backbone: str = "vgg16", *, stride: int = 32, classes: int = 21, **changes: object) -> NetSpec:
    fields = {"backbone": backbone, "width": 0.02, "crop": 96, "padding": 20, "mean": MEAN}
    heads = {"semantic": labels(classes)}
    return NetSpec(**{**fields, "stride": stride, "heads": heads, **changes})  # type: ignore[arg-type]


def on_meta(net_spec: NetSpec) -> FCN:
    with torch.device("meta"):
        return FCN(net_spec)


def drawn(net_spec: NetSpec, seed: int = 0) -> FCN:
    """A net with random weights in every layer, score layers too."""
    net, generator = FCN(net_spec), torch.Generator().manual_seed(seed)
    random_start(net, net_spec, generator)
    for name, parameter in net.named_parameters():
        if ".score_" in name:
            torch.nn.init.normal_(parameter, 0, 0.1, generator=generator)
    return net.eval()


@pytest.mark.parametrize(
    ("backbone", "padding", "crop", "stride", "crops"),
    [
        ("vgg16", 100, 224, 32, [19]),
        ("vgg16", 100, 224, 16, [5, 27]),
        ("vgg16", 100, 224, 8, [5, 9, 31]),
        ("vgg16", 100, 224, 4, [5, 9, 17, 33]),
        ("vgg16", 36, 96, 32, [19]),
        ("vgg16", 20, 96, 32, [3]),
        ("googlenet", 3, 224, 32, [1]),
        ("googlenet", 3, 224, 16, [0, 1]),
        ("googlenet", 3, 224, 8, [0, 0, 1]),
        ("alexnet", 100, 224, 32, [18]),
        ("alexnet", 100, 224, 8, [5, 10, 18]),
        ("alexnet", 5, 64, 32, [3]),
    ],
)
def test_crops_are_the_authors(backbone: str, padding: int, crop: int, stride: int, crops: list[int]) -> None:
    head = on_meta(spec(backbone, padding=padding, crop=crop, stride=stride)).get_submodule("semantic")
    assert [*(-step.offset for step in head.steps), head.final.offset] == crops  # type: ignore[union-attr]
    odd = backbone != "vgg16"
    assert all(step.kernel == 2 * step.stride - odd for step in [*head.steps, head.final])  # type: ignore[misc,list-item]


def test_a_geometry_that_no_bilinear_kernel_fits_is_refused() -> None:
    with pytest.raises(Refusal, match="change a padding"):
        Coordinates(Fraction(2), Fraction(1, 3)).onto(Coordinates())


@pytest.mark.parametrize(
    ("backbone", "parameters"), [("alexnet", 56_954_261), ("vgg16", 134_346_581), ("googlenet", 5_995_077)]
)
def test_parameters_are_table_1s(backbone: str, parameters: int) -> None:
    """The paper rounds to 57, 134 and 6 millions."""
    net = on_meta(spec(backbone, width=1.0, crop=224, padding=100 if backbone != "googlenet" else 3))
    assert sum(parameter.numel() for parameter in net.parameters()) == parameters


# Padding and crop: the authors', then smaller windows of fc6 with the least padding that serves every size
GEOMETRIES = [
    *(("vgg16", padding, 96) for padding in (36, 18, 19, 33)),
    *(("vgg16", 100, 224), ("googlenet", 3, 224), ("alexnet", 100, 224), ("alexnet", 5, 64)),
    *(("alexnet", 85, 224), ("alexnet", 21, 96)),
]


@pytest.mark.parametrize(("backbone", "padding", "crop"), GEOMETRIES)
def test_scores_cover_every_size(backbone: str, padding: int, crop: int) -> None:
    """From 32 px on; 32 px more are one cell more of the coarsest features, so that two rounds say it of all."""
    nets = [on_meta(spec(backbone, padding=padding, crop=crop, stride=stride)) for stride in (32, 16, 8)]
    for size in range(32, 97):
        pyramid = nets[0].backbone(torch.empty(1, 3, size, size, device="meta"))
        for net in nets:
            head, scores = net.get_submodule("semantic"), pyramid[32].shape[2]
            for fine, step in zip(head.skips, head.steps, strict=True):  # type: ignore[arg-type]
                scores = step.overlap(scores, pyramid[fine].shape[2])  # type: ignore[union-attr]
            assert head.final.length(scores) >= head.final.offset + size, size  # type: ignore[operator,union-attr]


@pytest.mark.parametrize(
    ("backbone", "padding", "crop"), [("vgg16", 36, 96), ("vgg16", 100, 224), ("googlenet", 3, 96)]
)
def test_a_finer_net_begins_as_its_parent(backbone: str, padding: int, crop: int) -> None:
    specs = [spec(backbone, padding=padding, crop=crop, stride=stride, classes=5) for stride in (32, 16, 8)]
    parent, (h, w) = drawn(specs[0]), (150, 211)
    image = 57 * torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    image = torch.nn.functional.interpolate(image, (h, w), mode="bicubic")
    with torch.inference_mode():
        coarse = parent.get_submodule("semantic").score_fr(parent.backbone(image)[32])  # type: ignore[operator]
        for child_spec in specs[1:]:
            child = FCN(child_spec).eval()
            surgery.inherit(child, child_spec, specs[0], parent.state_dict())
            got = child(image)["semantic"]
            assert torch.equal(got, climbed(child, coarse, child.backbone(image), h, w))


def climbed(net: FCN, scores: torch.Tensor, pyramid: dict[int, torch.Tensor], h: int, w: int) -> torch.Tensor:
    """The coarse scores through the net's upsamplings alone, as if there were no skips."""
    head = net.get_submodule("semantic")
    for fine, step in zip(head.skips, head.steps, strict=True):  # type: ignore[arg-type]
        rows, columns = (step.overlap(scores.shape[i], pyramid[fine].shape[i]) for i in (2, 3))  # type: ignore[union-attr]
        scores = upscore(scores, rows, columns, stride=2, kernel=step.kernel, offset=step.start)  # type: ignore[union-attr]
    last = head.final
    return upscore(scores, h, w, stride=last.stride, kernel=last.kernel, offset=last.offset)  # type: ignore[union-attr,arg-type]


@pytest.mark.parametrize(("backbone", "padding"), [("vgg16", 20), ("googlenet", 3), ("alexnet", 36)])
def test_scores_stand_where_the_image_does(backbone: str, padding: int) -> None:
    """Moved by 32 px, an image on its mean moves its scores by 32 px: no crop is off by a cell."""
    net = drawn(spec(backbone, padding=padding, stride=8, width=0.05))
    image = torch.zeros(1, 3, 352, 352)
    image[:, :, 128:192, 128:192] = 57 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        here = net(image)["semantic"]
        there = net(image.roll((32, 64), (2, 3)))["semantic"]
    moved = here.roll((32, 64), (2, 3))
    inner = (slice(None), slice(None), slice(96, 288), slice(128, 320))
    assert (there - moved)[inner].abs().max() < 0.02 * (here.max() - here.min())


def test_max_fusion_takes_the_larger_score() -> None:
    """Where a skip is nowhere larger the scores are the coarse ones alone; where it is, its own."""
    low, high = (drawn(spec(stride=16, fusion="max")) for _ in range(2))
    parent = FCN(spec(stride=16, fusion="sum")).eval()
    image = 57 * torch.randn(1, 3, 60, 70, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        for net, bias in ((low, -1e6), (high, 1e6)):
            net.get_submodule("semantic").score_pool4.bias.fill_(bias)  # type: ignore[union-attr,operator]
        tensors = low.state_dict()
        skip = ("semantic.score_pool4.weight", "semantic.score_pool4.bias")
        parent.load_state_dict({**tensors, **{name: torch.zeros_like(tensors[name]) for name in skip}})
        assert torch.equal(low(image)["semantic"], parent(image)["semantic"])
        assert float(high(image)["semantic"].min()) > 4e5, "at the edge upsampling mixes in the zeros beyond"


@pytest.mark.parametrize("backbone", ["vgg16", "googlenet"])
def test_learned_upsampling_begins_as_the_fixed_one_and_has_gradients(backbone: str) -> None:
    fixed, learned = spec(backbone, stride=8, padding=20), spec(backbone, stride=8, padding=20, upsampling="learned")
    if backbone == "googlenet":
        fixed, learned = replace(fixed, padding=3), replace(learned, padding=3)
    parent = drawn(fixed)
    net = FCN(learned).eval()
    report = surgery.inherit(net, learned, replace(fixed, stride=8), parent.state_dict())
    assert {name for name, fate in report.items() if fate == "bilinear"} == {
        "semantic.upscore16.weight",
        "semantic.upscore8.weight",
    }
    image = 57 * torch.randn(1, 3, 60, 70, generator=torch.Generator().manual_seed(2))
    want, got = parent(image)["semantic"].detach(), net(image)["semantic"]
    assert torch.allclose(got, want, rtol=1e-4, atol=1e-4 * float(want.abs().max()))
    got.sum().backward()
    gradient = net.get_submodule("semantic.upscore16").weight.grad
    assert gradient is not None and bool(gradient.any())


def test_build_returns_the_net_that_was_saved(tmp_path: Path) -> None:
    net_spec = spec(stride=8)
    net, image = drawn(net_spec), torch.ones(1, 3, 50, 40)
    checkpoint.save(tmp_path / "model.safetensors", net.state_dict(), net_spec)
    built = build(tmp_path / "model.safetensors")
    assert built.spec == net_spec and not built.training
    with torch.inference_mode():
        assert torch.equal(built(image)["semantic"], net(image)["semantic"])
    checkpoint.save(tmp_path / "other.safetensors", net.state_dict(), spec(stride=32))
    with pytest.raises(Refusal, match="not the weights of the net it describes"):
        build(tmp_path / "other.safetensors")


def test_refuses_what_it_cannot_be() -> None:
    with pytest.raises(Refusal, match=r"no features of stride 2: choose one of \[4, 8, 16, 32\]"):
        on_meta(spec(stride=2))
    with pytest.raises(Refusal, match="skip_scales are 1 but stride 8 has 2 skips"):
        on_meta(spec(stride=8, skip_scales=(0.01,)))
    with pytest.raises(Refusal, match="inputs color, depth do not have 3 channels, as the mean has"):
        make(spec(inputs=("color", "depth")))
    with pytest.raises(Refusal, match="late streams are averaged, which needs upsampling fixed and fusion sum"):
        make(spec(inputs=("color", "hha"), streams="late", mean=(0.0,) * 6, fusion="max"))
    with pytest.raises(Refusal, match="unknown backbone 'vgg99'"):
        on_meta(spec("vgg99"))
    with pytest.raises(Refusal, match="multiple of 32"):
        on_meta(spec(crop=100))
    with pytest.raises(Refusal, match="cannot be called 'backbone'"):
        on_meta(spec(heads={"backbone": labels(2)}))
    with pytest.raises(Refusal, match="begin 61 px inside the image: add that to"):
        on_meta(spec(crop=224, padding=20))
