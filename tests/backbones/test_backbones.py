"""What every backbone plugin promises, tested by being in pipeline/backbones, and what their shared layers compute."""

from types import ModuleType

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.backbones import alexnet
from pipeline.backbones.shared import winograd
from pipeline.backbones.shared.layers import Conv2d, Sliding, lrn
from pipeline.core import plugins
from pipeline.core.types import Refusal
from pipeline.spec import NetSpec

NAMES = plugins.names("backbones")
MEAN = (123.0, 117.0, 104.0)
PADDING = {"vgg16": 100, "googlenet": 3}


def spec(name: str, **changes: object) -> NetSpec:
    fields = {"backbone": name, "width": 0.125, "crop": 96, "padding": PADDING.get(name, 100), "mean": MEAN}
    return NetSpec(**{**fields, **changes})  # type: ignore[arg-type]


def plugin(name: str) -> ModuleType:
    return plugins.load("backbones", name)


@pytest.mark.parametrize("name", NAMES)
def test_pyramid_is_what_channels_and_coordinates_say(name: str) -> None:
    net = plugin(name).Backbone(spec(name)).eval()
    pyramid = net(torch.zeros(2, 3, 160, 224))
    assert set(pyramid) == set(net.channels) == set(net.coordinates) >= {8, 16, 32}
    for stride, features in pyramid.items():
        assert features.shape[:2] == (2, net.channels[stride])
        assert net.coordinates[stride].scale == stride


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_looks_where_its_coordinates_say(name: str) -> None:
    """With equal positive weights the pixels that move a cell lie about its coordinates, but for the pools' choices."""
    net = plugin(name).Backbone(spec(name)).eval()
    for parameter in net.parameters():
        if parameter.ndim > 1:
            torch.nn.init.constant_(parameter, 1 / parameter[0].numel())
    side = 1400  # wide enough for a receptive field of 907 px
    image = torch.full((1, 3, 40, side), 0.1)  # so little that no ReLU6 is at its end
    image += 1e-4 * torch.arange(side)  # rising, so that every max pool takes its last column
    image.requires_grad_()
    with torch.enable_grad():
        features = net(image)[32]
        cell = features.shape[3] // 2
        features[0, 0, 0, cell].backward()
    assert image.grad is not None
    seen = image.grad[0, 0].abs().sum(0).nonzero()[:, 0]
    centre = float(net.coordinates[32].scale * cell + net.coordinates[32].shift)
    assert abs(float(seen.min() + seen.max()) / 2 - centre) < 32


@pytest.mark.parametrize("name", NAMES)
def test_classifier_and_backbone_share_every_name_but_the_last_layer(name: str) -> None:
    with torch.device("meta"):
        classifier = plugin(name).Classifier(spec(name), 7).state_dict()
        backbone = plugin(name).Backbone(spec(name)).state_dict()
    last = {f"{plugin(name).LAST}.weight", f"{plugin(name).LAST}.bias"}
    assert set(classifier) - last == set(backbone)
    assert next(iter(classifier)) == f"{plugin(name).FIRST}.weight"
    assert all(classifier[key].numel() == backbone[key].numel() for key in backbone)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("crop", [96, 224])
def test_classifier_takes_its_crop(name: str, crop: int) -> None:
    net = plugin(name).Classifier(spec(name, crop=crop), 7).eval()
    assert net(torch.zeros(2, 3, crop, crop)).shape == (2, 7)


@pytest.mark.parametrize("name", NAMES)
def test_born_zero_without_touching_the_global_generator(name: str) -> None:
    before = torch.get_rng_state()
    net = plugin(name).Classifier(spec(name), 7)
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(parameter.any() for parameter in net.parameters())


def test_vgg16_maps_torchvisions_names() -> None:
    with torch.device("meta"):
        net = plugin("vgg16").Classifier(spec("vgg16"), 1000)
    assert len(plugin("vgg16").CHAIN) == plugin("vgg16").DEPTH == 16
    assert set(plugin("vgg16").TORCHVISION.values()) == set(net.state_dict())
    assert plugin("vgg16").TORCHVISION["features.28.weight"] == "conv5_3.weight"


@pytest.mark.parametrize(
    ("name", "parameters"), [("alexnet", 60_965_224), ("vgg16", 138_357_544), ("googlenet", 6_998_552)]
)
def test_a_classifier_is_the_published_size(name: str, parameters: int) -> None:
    with torch.device("meta"):
        net = plugin(name).Classifier(spec(name, width=1.0, crop=224), 1000)
    assert sum(parameter.numel() for parameter in net.parameters()) == parameters


@pytest.mark.parametrize("name", ["alexnet", "vgg16"])
def test_dropout_is_element_wise_and_only_while_training(name: str) -> None:
    """fc7 made the identity on an fc6 of ones: an element is left where both layers keep it."""
    net = plugin(name).Backbone(spec(name, padding=20, crop=64))
    torch.nn.init.ones_(net.fc6.bias)
    torch.nn.init.dirac_(net.fc7.weight)
    image = torch.zeros(1, 3, 96, 96)

    def dropped(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        features: torch.Tensor = net(image)[32]
        return features

    assert torch.equal(dropped(1), dropped(1))
    assert not torch.equal(dropped(1), dropped(2))
    kept = dropped(1).ne(0).float()
    assert 0.2 < kept.mean() < 0.3
    assert kept.flatten(2).std(2).max() > 0, "element-wise: a channel falls out in parts"
    net.eval()
    assert torch.equal(dropped(1), torch.ones_like(kept))


@pytest.mark.parametrize(("crop", "window"), [(227, 6), (224, 6), (128, 3), (96, 2), (64, 1)])
def test_alexnets_fc6_is_as_wide_as_pool5(crop: int, window: int) -> None:
    net_spec, image = spec("alexnet", crop=crop, padding=0), torch.zeros(1, 3, crop, crop)
    net = alexnet.Backbone(net_spec).eval()
    assert net.pyramid(image)[32].shape[2:] == net.fc6.kernel_size == (window, window)
    assert net(image)[32].shape[2:] == (1, 1)
    assert alexnet.Classifier(net_spec, 7).eval()(image).shape == (1, 7)


def test_a_crop_that_leaves_no_pool5_is_refused() -> None:
    with pytest.raises(Refusal, match="a crop of 32 px leaves nothing of alexnet's pool5: make it 64 or more"):
        alexnet.Classifier(spec("alexnet", crop=32), 7)


@pytest.mark.parametrize("width", [0.01, 0.05, 0.125, 0.25, 0.3])
def test_alexnets_groups_fit_every_width(width: int) -> None:
    net = alexnet.Backbone(spec("alexnet", width=width, crop=64, padding=5)).eval()
    assert all(len(net.get_parameter(f"conv{number}.bias")) % 2 == 0 for number in range(1, 6))
    assert net(torch.zeros(1, 3, 32, 32))[32].shape[1] == net.channels[32]


def made(n: int, height: int, width: int, dtype: torch.dtype, wide: int = 16, deep: int = 8) -> list[Tensor]:
    """An image, a weight scaled to keep it alive, and a bias; all want gradients."""
    generator = torch.Generator().manual_seed(height)
    shapes = (n, deep, height, width), (wide, deep, 3, 3), (wide,)
    scales = 1.0, (9 * deep) ** -0.5, 1.0
    numbers = [scale * torch.randn(*shape, generator=generator) for scale, shape in zip(scales, shapes, strict=True)]
    return [tensor.to(dtype).requires_grad_() for tensor in numbers]


def results(convolve: type[torch.autograd.Function] | None, tensors: list[Tensor]) -> list[Tensor]:
    """The scores, and the gradients of a sum in which each of them counts differently."""
    scores = convolve.apply(*tensors) if convolve else functional.conv2d(*tensors, padding=1)
    counts = torch.linspace(-1, 1, scores.numel()).to(scores).view(scores.shape)
    return [scores.detach(), *torch.autograd.grad((scores * counts).sum(), tensors)]


@pytest.mark.parametrize(("height", "width"), [(19, 22), (4, 4), (1, 5), (20, 21)])
@pytest.mark.parametrize("n", [1, 2])
def test_it_is_the_convolution(n: int, height: int, width: int) -> None:
    tensors = made(n, height, width, torch.float64)
    for got, want in zip(results(winograd.Winograd, tensors), results(None, tensors), strict=True):
        assert got.shape == want.shape
        assert float((got - want).abs().max()) <= 1e-12 * float(want.abs().max())


def test_in_single_precision_it_stays_within_a_digit_of_the_nine_products() -> None:
    tensors = made(1, 40, 44, torch.float32, wide=128, deep=128)
    exact = results(None, [tensor.detach().double().requires_grad_() for tensor in tensors])
    for got, plain, want in zip(results(winograd.Winograd, tensors), results(None, tensors), exact, strict=True):
        error, usual = (float((map_.double() - want).abs().max() / want.abs().max()) for map_ in (got, plain))
        assert error <= max(10 * usual, 1e-5)


def test_layers_choose_by_shape_and_only_on_a_cpu_in_full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(
        winograd.Winograd, "apply", lambda *tensors: asked.append(tensors) or functional.conv2d(*tensors, padding=1)
    )
    layer, image = Conv2d(128, 128, 3, padding=1), torch.zeros(1, 128, 24, 24)
    layer(image)
    layer(image[..., :16])  # too small a map to pay
    Conv2d(128, 128, 3, padding=1, groups=2)(image)
    with torch.autocast("cpu", torch.bfloat16):
        layer(image)
    layer.to("meta")(image.to("meta"))
    assert len(asked) == 1


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize(
    "layer",
    [
        Sliding(6, 8, (4, 3)),
        Conv2d(6, 8, 1),
        Conv2d(6, 8, 1, stride=2, bias=False),
        Conv2d(6, 8, 3, padding=1, groups=2),
        Conv2d(6, 8, 3, stride=2, padding=2, dilation=2),
        Conv2d(6, 8, 5, padding=6),
    ],
    ids=str,
)
def test_a_layer_computes_its_convolution_and_its_gradients(layer: Conv2d, n: int) -> None:
    generator = torch.Generator().manual_seed(0)
    for parameter in layer.double().parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    image = torch.randn(n, 6, 9, 8, generator=generator, dtype=torch.float64, requires_grad=True)
    parts = layer.weight, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups
    found, want = layer(image), functional.conv2d(image, *parts)
    counts = torch.linspace(-1, 1, want.numel(), dtype=torch.float64).view(want.shape)
    tensors = [image, *layer.parameters()]
    for got, expected in zip(
        [found, *torch.autograd.grad((found * counts).sum(), tensors)],
        [want, *torch.autograd.grad((want * counts).sum(), tensors)],
        strict=True,
    ):
        assert torch.allclose(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("channels", [1, 2, 3, 8, 64])
def test_lrn_is_torchs_and_so_is_its_gradient(channels: int) -> None:
    generator = torch.Generator().manual_seed(channels)
    x = (100 * torch.randn(2, channels, 3, 4, dtype=torch.float64, generator=generator)).requires_grad_()
    want, got = functional.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=1.0), lrn(x)
    assert (got - want).abs().max() < 1e-10
    pull = torch.randn(want.shape, dtype=torch.float64, generator=generator)
    (want_grad,), (got_grad,) = (torch.autograd.grad(y, x, pull) for y in (want, got))
    assert (got_grad - want_grad).abs().max() < 1e-10
