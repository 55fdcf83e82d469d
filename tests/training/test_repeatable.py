"""Every kind of net goes forward and backward where torch raises for an operation that does not repeat itself."""

from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.core.types import LabelSpec
from pipeline.fcn.net import make
from pipeline.spec import NetSpec
from pipeline.training.loss import cross_entropy
from pipeline.training.momentum import Momentum
from pipeline.training.train import autocast
from pipeline.weights import checkpoint
from tests.training.world import fit, losses, recipe

MEAN = (123.0, 117.0, 104.0)
LABEL = LabelSpec(classes=("a", "b", "c"), palette=((0, 0, 0),) * 3)
KINDS: dict[str, dict[str, Any]] = {
    "fcn32s": {},
    "fcn16s": {"stride": 16},
    "fcn8s": {"stride": 8},
    "fcn4s": {"stride": 4},
    "at once": {"stride": 8, "skip_scales": (0.01, 0.0001)},
    "late fusion": {"stride": 16, "streams": "late", "inputs": ("color", "hha"), "mean": MEAN * 2},
    "learned upsampling": {"stride": 8, "upsampling": "learned"},
    "max fusion": {"stride": 8, "fusion": "max"},
    "two heads": {"stride": 8, "heads": {"semantic": LABEL, "geometric": LABEL}},
    "alexnet": {"backbone": "alexnet", "width": 0.125, "crop": 64, "padding": 100},
    "googlenet": {"backbone": "googlenet", "width": 0.125, "padding": 3, "stride": 8},
}
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")]),
]
CPU = torch.device("cpu")


def gradients(net: torch.nn.Module, device: str) -> list[torch.Tensor]:
    """Of the summed loss over a noisy image, a seventh of whose pixels is ignored and whose classes are weighted."""
    torch.manual_seed(0)
    height, width = 70, 61
    generator = torch.Generator().manual_seed(1)
    channels = len(net.spec.mean)
    image = (torch.randn(1, channels, height, width, generator=generator) * 60).to(device)
    label = torch.randint(0, 7, (1, height, width), generator=generator, dtype=torch.uint8) // 2
    label = label.masked_fill(label == 3, 255).to(device)
    weight = torch.tensor([1.0, 2.0, 0.5], device=device)
    loss = torch.stack([cross_entropy(score, label, 255, weight) for score in net(image).values()]).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    return [torch.zeros(1) if weight.grad is None else weight.grad.clone() for weight in net.parameters()]


@pytest.mark.usefixtures("flags")
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_operation_raises_and_gradients_repeat(kind: str, precision: str, device: str) -> None:
    torch.set_deterministic_debug_mode("error")
    torch.set_num_threads(1)
    fields = {"backbone": "vgg16", "width": 0.02, "crop": 32, "padding": 40, "mean": MEAN}
    net = make(NetSpec(**{**fields, "heads": {"semantic": LABEL}, **KINDS[kind]}))
    generator = torch.Generator().manual_seed(0)
    for parameter in net.parameters():
        if parameter.ndim > 1:
            torch.nn.init.kaiming_normal_(parameter, generator=generator)
    autocast(net.to(device).train(), precision, torch.device(device))
    first = gradients(net, device)
    net.zero_grad()
    second = gradients(net, device)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert any(gradient.any() for gradient in first)
    Momentum(net, momentum=0.9, weight_decay=0.0005).update(1e-12)


def test_a_bfloat16_training_repeats_and_is_nearly_float32s(tmp_path: Path) -> None:
    runs = {
        out: fit(tmp_path, out, row=recipe(stride=8, lr=1e-8), precision=out[:4]) for out in ("fp32", "bf16", "bf16-b")
    }
    assert runs["bf16"] == runs["bf16-b"] != runs["fp32"]
    fine, coarse = (losses(tmp_path / out / "history.tsv") for out in ("fp32", "bf16"))
    assert coarse == pytest.approx(fine, rel=0.02)
    spec, tensors = checkpoint.load(tmp_path / "bf16/model.safetensors")
    assert spec == checkpoint.load(tmp_path / "fp32/model.safetensors")[0]
    first = checkpoint.load(tmp_path / "init.safetensors")[1]["backbone.conv5_3.weight"]
    assert not torch.equal(first, tensors["backbone.conv5_3.weight"])
