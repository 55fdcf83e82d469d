"""Every kind of net goes forward and backward where torch raises for an operation that does not repeat itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pipeline.core.types import LabelSpec
from pipeline.fcn.net import FCN, LateFCN, make
from pipeline.shards.schema import read_manifest
from pipeline.spec import NetSpec
from pipeline.training.loss import cross_entropy
from pipeline.training.momentum import Momentum
from pipeline.training.surgery import start
from pipeline.training.train import autocast
from pipeline.weights import checkpoint
from tests.training.world import classifier, fit, losses, recipe, shards

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


def scoring(tmp_path: Path) -> FCN | LateFCN:
    """A recipe's scoring, in evaluation mode for want of dropout; its score layers are not zero."""
    init = classifier(tmp_path / "init.safetensors")
    made, _ = start(recipe(stride=8), init, read_manifest(shards(tmp_path / "train")))
    generator = torch.Generator().manual_seed(0)
    for name, parameter in made.named_parameters():
        if ".score_" in name:
            torch.nn.init.normal_(parameter, 0, 0.1, generator=generator)
    return made.eval()


def of_ones(made: torch.nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a noisy image labelled with class 1, and what it makes of every weight."""
    made.zero_grad()
    image = torch.randn(1, 3, 48, 40, generator=torch.Generator().manual_seed(1)) * 60
    scores = made(image)["semantic"]
    assert scores.dtype == torch.float32
    loss = cross_entropy(scores, torch.ones(1, 48, 40, dtype=torch.uint8), 255)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach(), {name: weight.grad for name, weight in made.named_parameters() if weight.grad is not None}


def test_bfloat16_is_the_forwards_alone_and_its_gradients_are_float32s_but_for_rounding(tmp_path: Path) -> None:
    made = scoring(tmp_path)
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    loss, fine = of_ones(made)
    autocast(made, "fp32", CPU)
    again, same = of_ones(made)
    assert torch.equal(loss, again)
    assert all(torch.equal(fine[name], same[name]) for name in fine)
    autocast(made, "bf16", CPU)
    inside: list[torch.dtype] = []
    made.backbone.register_forward_hook(lambda *passed: inside.extend(map_.dtype for map_ in passed[2].values()))
    rough, coarse = of_ones(made)
    assert set(inside) == {torch.bfloat16}
    assert {rough.dtype, *(gradient.dtype for gradient in coarse.values())} == {torch.float32}
    assert all(torch.equal(before[name], tensor) for name, tensor in made.state_dict().items())
    assert float(rough) == pytest.approx(float(loss), rel=0.02)
    ours, theirs = (torch.cat([grads[name].flatten() for name in fine]) for grads in (coarse, fine))
    assert not torch.equal(ours, theirs)
    assert torch.nn.functional.cosine_similarity(ours, theirs, dim=0) > 0.99


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
