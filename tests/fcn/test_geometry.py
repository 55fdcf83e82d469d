"""Table 1 and the authors' crops follow from the nets; what the walk says a cell sees is what moves it."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch import nn
from torch.nn import functional

from pipeline.core import plugins
from pipeline.core.types import LabelSpec, Refusal
from pipeline.serving import geometry
from pipeline.serving.geometry import Field, walked
from pipeline.spec import NetSpec

BACKBONES = plugins.names("backbones")
PADDING = {"vgg16": 100, "alexnet": 100, "googlenet": 3}


def labels(classes: int) -> LabelSpec:
    return LabelSpec(classes=tuple(map(str, range(classes))), palette=((0, 0, 0),) * classes)


def spec(backbone: str, **changes: object) -> NetSpec:
    """The authors' net of stride 32 and 21 classes, but for ``changes``."""
    fields = {"backbone": backbone, "width": 1.0, "crop": 224, "padding": PADDING.get(backbone, 100)}
    fields |= {"mean": (123.0, 117.0, 104.0), "heads": {"semantic": labels(21)}}
    return NetSpec(**{**fields, **changes})  # type: ignore[arg-type]


def backbone_of(net_spec: NetSpec) -> nn.Module:
    backbone: nn.Module = plugins.load("backbones", net_spec.backbone).Backbone(net_spec)
    return backbone


@pytest.mark.parametrize(
    ("backbone", "millions", "parameters", "convolutions", "receptive_field"),
    [("alexnet", 57, 56_954_261, 8, 355), ("vgg16", 134, 134_346_581, 16, 404), ("googlenet", 6, 5_995_077, 22, 715)],
)
def test_table_1(backbone: str, millions: int, parameters: int, convolutions: int, receptive_field: int) -> None:
    got = geometry.of(spec(backbone))
    assert (got.parameters, round(got.parameters / 1e6)) == (parameters, millions)
    assert (got.convolutions, got.receptive_field, got.stride) == (convolutions, receptive_field, 32)


@pytest.mark.parametrize(("backbone", "printed"), [("alexnet", 355), ("vgg16", 404), ("googlenet", 907)])
def test_table_1_prints_what_the_classifiers_see(backbone: str, printed: int) -> None:
    """So that GoogLeNet's 907 are 715 and six more cells of the 7×7 pool, which its FCN leaves out."""
    with torch.device("meta"):
        classifier = plugins.load("backbones", backbone).Classifier(spec(backbone), 1000)
    assert walked(classifier, 3, 224).size == printed
    fcn = geometry.of(spec(backbone)).receptive_field
    assert printed == (fcn + 6 * 32 if backbone == "googlenet" else fcn)


@pytest.mark.parametrize(
    ("backbone", "stride", "offsets", "kernels"),
    [
        ("vgg16", 32, (19,), (64,)),
        ("vgg16", 16, (5, 27), (4, 32)),
        ("vgg16", 8, (5, 9, 31), (4, 4, 16)),
        ("alexnet", 32, (18,), (63,)),
        ("googlenet", 32, (1,), (63,)),
    ],
)
def test_offsets_are_the_authors_crops(
    backbone: str, stride: int, offsets: tuple[int, ...], kernels: tuple[int, ...]
) -> None:
    got = geometry.of(spec(backbone, stride=stride))
    assert (got.offsets, got.kernels) == (offsets, kernels)
    assert (got.stride, got.receptive_field) == (32, geometry.of(spec(backbone)).receptive_field), "of the coarsest"


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_cell_sees_what_moves_it(backbone: str) -> None:
    """One column of light in a dark image, through positive weights, shows in a cell exactly where it sees it."""
    thin = spec(backbone, width=0.02, crop=96, padding=min(20, PADDING.get(backbone, 20)))
    with torch.device("meta"):
        meta = backbone_of(thin)
    field = walked(lambda image: meta(image)[32], 3, 1024)
    net = backbone_of(thin).double().eval()
    for parameter in net.parameters():
        if parameter.ndim > 1:
            nn.init.constant_(parameter, 1 / parameter[0].numel())
    cell = -(-(1 - field.start) // field.stride)  # the first that sees no padding, nor the image's first column
    first = field.start + cell * field.stride
    last = first + field.size - 1
    columns = {first - 1: False, first: True, last: True, last + 1: False}
    images = torch.zeros(len(columns), 3, 32, last + 40, dtype=torch.float64)
    for image, column in zip(images, columns, strict=True):
        image[..., column] = 100
    with torch.inference_mode():
        lit = net(images)[32][..., cell].flatten(1).any(1)
    assert dict(zip(columns, lit.tolist(), strict=True)) == columns


@pytest.mark.parametrize("backbone", BACKBONES)
def test_windows_are_centred_on_the_coordinates_that_the_crops_come_from(backbone: str) -> None:
    with torch.device("meta"):
        net = backbone_of(spec(backbone))
    for stride, at in net.coordinates.items():  # type: ignore[union-attr, operator]
        field = walked(lambda image, stride=stride: net(image)[stride], 3, 1024)  # type: ignore[misc]
        assert (field.stride, field.start + Fraction(field.size - 1, 2)) == (at.scale, at.shift)


def test_a_narrow_net_sees_as_far_with_fewer_weights_and_a_smaller_window_sees_less() -> None:
    full, thin, small = (geometry.of(spec("vgg16", width=w, crop=c)) for w, c in ((1, 224), (0.125, 224), (0.125, 96)))
    assert thin.receptive_field == full.receptive_field == small.receptive_field + 4 * 32
    assert thin.parameters < full.parameters / 50
    assert thin.convolutions == full.convolutions


def test_parameters_are_those_of_every_stream_head_and_learned_upsampling() -> None:
    """Stride 16 adds 512 → 21 scores and 21 → 21 taps of 4×4; streams are whole nets of a column each."""
    one, fine = geometry.of(spec("vgg16")), geometry.of(spec("vgg16", stride=16, upsampling="learned"))
    assert fine.parameters - one.parameters == 512 * 21 + 21 + 21 * 21 * 4 * 4
    two = spec("vgg16", inputs=("color", "hha"), streams="late", mean=(0.0,) * 6)
    assert geometry.of(two) == geometry.Geometry(**{**one.__dict__, "parameters": 2 * one.parameters})
    heads = geometry.of(spec("vgg16", heads={"semantic": labels(21), "geometric": labels(3)}))
    assert heads.parameters - one.parameters == 4096 * 3 + 3
    depth = geometry.of(spec("vgg16", inputs=("color", "depth"), mean=(0.0,) * 4))
    assert depth.parameters - one.parameters == 64 * 3 * 3


def test_branches_join_to_the_widest_and_the_deepest() -> None:
    net = nn.ModuleList([nn.Conv2d(1, 1, 5, padding=2), nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 1)]).to("meta")

    def forward(image: torch.Tensor) -> torch.Tensor:
        return torch.cat([net[0](image), net[1](net[2](image)).relu_()], 1) + image

    assert walked(forward, 1, 64) == Field(start=-2, size=5, stride=1, layers=2)
    dilated = nn.Conv2d(1, 1, 3, stride=2, padding=4, dilation=4).to("meta")
    assert walked(dilated, 1, 64) == Field(start=-4, size=9, stride=2, layers=1)


def test_refuses_what_it_cannot_walk() -> None:
    with pytest.raises(Refusal, match="a bare vgg16 scores nothing"):
        geometry.of(spec("vgg16", heads={}))
    with pytest.raises(Refusal, match=r"does not know what aten\.upsample_nearest2d"):
        walked(lambda image: functional.interpolate(image, scale_factor=2), 1, 64)
    with pytest.raises(Refusal, match="unknown backbone"):
        geometry.of(spec("vgg99"))
