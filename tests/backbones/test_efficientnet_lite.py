"""EfficientNet-Lite0 is the published net, batch norms folded, and trains as torch's own convolutions would."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.backbones.efficientnet_lite import Backbone, Classifier, Depthwise, folded, padded
from pipeline.backbones.shared.random_start import random_start
from pipeline.convolutionalize.convolutionalize import convolutionalize, logits
from pipeline.spec import NetSpec
from pipeline.weights import checkpoint
from tests.closure import ROOT
from tests.convolutionalize.test_convolutionalize import FILLED, KINDS, REAL, tensor, voc_photo

FILE = "efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
FOUND = [
    path for path in (ROOT / "data/weights/efficientnet_lite" / FILE, ROOT / ".downloads" / SHA256) if path.exists()
]
SPEC = NetSpec(backbone="efficientnet_lite", width=1.0, crop=224, padding=0, mean=(127.0, 127.0, 127.0))
FACTS = {"file": FILE, "format": "published", "order": "RGB", "range": 255, "crop": 224, "width": 1.0}
FACTS |= {"mean": [127.0] * 3, "std": [1.0] * 3}
# kernel, stride, expansion, channels in, channels out of each block (table 1 of the paper, without squeeze-excite)
BLOCKS = (
    (3, 1, 1, 32, 16), (3, 2, 6, 16, 24), (3, 1, 6, 24, 24), (5, 2, 6, 24, 40), (5, 1, 6, 40, 40), (3, 2, 6, 40, 80),
    (3, 1, 6, 80, 80), (3, 1, 6, 80, 80), (5, 1, 6, 80, 112), (5, 1, 6, 112, 112), (5, 1, 6, 112, 112),
    (5, 2, 6, 112, 192), (5, 1, 6, 192, 192), (5, 1, 6, 192, 192), (5, 1, 6, 192, 192), (3, 1, 6, 192, 320),
)  # fmt: skip


def published(seed: int = 0) -> dict[str, Tensor]:
    """Random tensors under the names and in the shapes of the published file."""
    generator, state = torch.Generator().manual_seed(seed), {}

    def layer(convolution: str, norm: str, wide: int, fan: int, kernel: int) -> None:
        shape = (wide, fan, kernel, kernel)
        state[f"{convolution}.weight"] = torch.randn(shape, generator=generator) * (2 / (fan * kernel**2)) ** 0.5
        for part, low, high in (("weight", 0.5, 1), ("bias", -0.2, 0.4), ("running_mean", -0.2, 0.2)):
            state[f"{norm}.{part}"] = torch.empty(wide).uniform_(low, high, generator=generator)
        state[f"{norm}.running_var"] = torch.empty(wide).uniform_(0.5, 2, generator=generator)
        state[f"{norm}.num_batches_tracked"] = torch.tensor(7)

    layer("_conv_stem", "_bn0", 32, 3, 3)
    for i, (kernel, _, expansion, fan, wide) in enumerate(BLOCKS):
        if expansion > 1:
            layer(f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0", fan * expansion, fan, 1)
        layer(f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1", fan * expansion, 1, kernel)
        layer(f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2", wide, fan * expansion, 1)
    layer("_conv_head", "_bn1", 1280, 320, 1)
    state["_fc.weight"] = torch.randn(1000, 1280, generator=generator) / 30
    state["_fc.bias"] = torch.randn(1000, generator=generator)
    return state


def reference(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """The published net written out: batch norms as they are, TensorFlow's padding reckoned from the map's size."""

    def layer(x: Tensor, convolution: str, norm: str, stride: int = 1) -> Tensor:
        weight = state[f"{convolution}.weight"]
        kernel, height = weight.shape[2], x.shape[2]
        total = max(0, (-(-height // stride) - 1) * stride + kernel - height)
        x = functional.pad(x, (total // 2, total - total // 2) * 2)
        x = functional.conv2d(x, weight, None, stride, groups=x.shape[1] if weight.shape[1] == 1 else 1)
        mean, variance, gain, shift = (state[f"{norm}.{p}"] for p in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(x, mean, variance, gain, shift, eps=1e-3)

    x = functional.relu6(layer(x, "_conv_stem", "_bn0", 2))
    for i, (_, stride, expansion, fan, wide) in enumerate(BLOCKS):
        name, inputs = f"_blocks.{i}.", x
        if expansion > 1:
            x = functional.relu6(layer(x, f"{name}_expand_conv", f"{name}_bn0"))
        x = functional.relu6(layer(x, f"{name}_depthwise_conv", f"{name}_bn1", stride))
        x = layer(x, f"{name}_project_conv", f"{name}_bn2")
        x = x + inputs if (stride, fan) == (1, wide) else x
    x = functional.relu6(layer(x, "_conv_head", "_bn1")).mean((2, 3))
    return functional.linear(x, state["_fc.weight"], state["_fc.bias"])


@pytest.mark.parametrize("crop", [224, 96])
def test_computes_what_the_published_net_says(crop: int) -> None:
    """(RGB - 127) / 128 into the published net, RGB - 127 into ours."""
    state = published()
    net = Classifier(SPEC, 1000).eval()
    net.load_state_dict({name: value for name, value in folded(state).items() if "tracked" not in name})
    image = torch.randint(0, 256, (2, 3, crop, crop), generator=torch.Generator().manual_seed(1)) - 127.0
    with torch.inference_mode():
        want = reference(state, image / 128)
        assert torch.allclose(net(image), want, rtol=1e-4, atol=1e-4 * float(want.abs().max()))


def test_a_published_file_becomes_convolutions_that_say_the_same(tmp_path: Path) -> None:
    torch.save(published(), tmp_path / FILE)
    (tmp_path / "manifest.json").write_text(json.dumps(FACTS))
    convolutionalize(tmp_path, "efficientnet_lite", 16, tmp_path / "out")
    proof = json.loads((tmp_path / "out/efficientnet_lite-fcn.json").read_text())
    assert 0 <= proof["relative"] < 1e-5
    assert proof["parameters"] == 4_631_000
    spec, _ = checkpoint.load(tmp_path / "out/efficientnet_lite-fcn.safetensors")
    assert (spec.padding, spec.mean) == (16, (127.0, 127.0, 127.0))


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
@pytest.mark.parametrize("side", [(9, 12), (14, 7)])
def test_depthwise_layers_and_their_gradients_are_torchs(kernel: int, stride: int, side: tuple[int, int]) -> None:
    layer = Depthwise(4, kernel, stride)
    generator = torch.Generator().manual_seed(0)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    image = torch.randn(2, 4, *side, generator=generator).requires_grad_()
    made = layer(image)
    assert made.shape[2:] == tuple(-(-length // stride) for length in side)
    want = functional.conv2d(padded(image, kernel, stride), layer.weight, layer.bias, stride, groups=4)
    gradient = torch.randn(want.shape, generator=generator)
    sources = (image, *layer.parameters())
    pairs = zip(torch.autograd.grad(made, sources, gradient), torch.autograd.grad(want, sources, gradient), strict=True)
    assert torch.equal(made, want)
    assert all(torch.allclose(ours, torchs, rtol=1e-4, atol=1e-4) for ours, torchs in pairs)


def test_a_cell_sees_the_same_pixels_in_a_picture_of_any_size() -> None:
    net = Backbone(SPEC).eval()
    state = {name: value for name, value in folded(published()).items() if name in net.state_dict()}
    net.load_state_dict(state)
    image = torch.randint(0, 256, (1, 3, 193, 200), generator=torch.Generator().manual_seed(1)) - 127.0
    with torch.inference_mode():
        whole, part = net(image), net(image[:, :, :, :192])
    for stride in (4, 8):
        assert whole[stride].shape[2:] == (-(-193 // stride), 200 // stride)
        assert torch.allclose(whole[stride][..., :10], part[stride][..., :10], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("width", [0.25, 1.0])
def test_a_random_start_leaves_relu6_alive(width: float) -> None:
    spec = replace(SPEC, width=width)
    net = Backbone(spec).eval()
    random_start(net, spec, torch.Generator().manual_seed(0))
    image = 57 * torch.randn(1, 3, 96, 100, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert all(0.2 < float(features.max()) < 6 for features in net(image).values())


@pytest.fixture(scope="module")
def real() -> dict[str, Tensor]:
    if not FOUND or not REAL.exists():
        pytest.skip("the published weights or the photographs are not here: dvc repro download at scale photos")
    stored: dict[str, Tensor] = torch.load(FOUND[0], weights_only=True)
    return stored


def test_the_published_weights_name_the_animals_as_the_package_does(real: dict[str, Tensor], tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(FACTS))
    torch.save(real, tmp_path / FILE)
    convolutionalize(tmp_path, "efficientnet_lite", 0, tmp_path / "out")
    spec, tensors = checkpoint.load(tmp_path / "out/efficientnet_lite-fcn.safetensors")
    for name, kind in zip(FILLED, KINDS, strict=True):
        photo = voc_photo(name)
        left, top = ((side - min(photo.size)) // 2 for side in photo.size)
        square = photo.crop((left, top, left + min(photo.size), top + min(photo.size)))
        image = tensor(square.resize((256, 256)).crop((16, 16, 240, 240))) - 127
        want = reference(real, image / 128)
        got = logits(tensors, spec, image).mean((2, 3))
        assert torch.allclose(got, want, rtol=1e-4, atol=1e-4 * float(want.abs().max()))
        assert int(want.argmax()) in kind, f"{name} is called ImageNet's class {int(want.argmax())}"
