"""torchfcn (wkentaro/pytorch-fcn) with our weights gives our scores: pip install --no-deps torchfcn to run this."""

from __future__ import annotations

import pytest
import torch

from benchmarks import _side
from pipeline.backbones.shared.random_start import random_start
from pipeline.core.types import LabelSpec
from pipeline.fcn.net import FCN
from pipeline.spec import NetSpec

pytestmark = pytest.mark.slow

CLASSES = LabelSpec(classes=tuple(map(str, range(21))), palette=((0, 0, 0),) * 21)
NETS = [
    ("FCN32s", 32, ()),
    ("FCN16s", 16, ()),
    ("FCN8s", 8, ()),
    ("FCN8sAtOnce", 8, (0.01, 0.0001)),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "stride", "scales"), NETS)
def test_the_same_weights_give_the_same_scores(name: str, stride: int, scales: tuple[float, ...]) -> None:
    try:
        models = _side.torchfcn().models
    except ModuleNotFoundError:
        pytest.skip("torchfcn is not installed")
    spec = NetSpec(
        backbone="vgg16",
        width=1.0,
        crop=224,
        padding=100,
        mean=(0.0,) * 3,
        stride=stride,
        skip_scales=scales,
        heads={"semantic": CLASSES},
    )
    ours = FCN(spec).eval()
    generator = torch.Generator().manual_seed(0)
    random_start(ours, spec, generator)
    with torch.no_grad():
        for layer, parameter in ours.named_parameters():
            if ".score_" in layer:
                parameter.normal_(0, 0.01, generator=generator)
    theirs = getattr(models, name)(n_class=21).eval()
    state = theirs.state_dict()
    taken = {layer.split(".", 1)[1]: tensor for layer, tensor in ours.state_dict().items()}
    assert {layer for layer in state if layer not in taken} == {layer for layer in state if layer.startswith("upscore")}
    theirs.load_state_dict({**state, **taken})
    image = 57 * torch.randn(1, 3, 97, 120, generator=generator)
    with torch.inference_mode():
        want, got = theirs(image), ours(image)["semantic"]
    assert got.shape == want.shape
    assert float((got - want).abs().max()) <= 1e-4 * max(1.0, float(want.abs().max()))
