"""A net may compute in bfloat16 while weights, loss and gradients stay float32."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from pipeline.fcn.net import FCN, LateFCN
from pipeline.shards.schema import read_manifest
from pipeline.training.autocast import autocast
from pipeline.training.loss import cross_entropy
from pipeline.training.train import start
from pipeline.weights import checkpoint
from tests.training.world import classifier, fit, losses, recipe, shards

CPU = torch.device("cpu")


def net(tmp_path: Path) -> FCN | LateFCN:
    """A recipe's net, in evaluation mode for want of dropout; its score layers are not zero."""
    init = classifier(tmp_path / "init.safetensors")
    made, _ = start(recipe(stride=8), init, read_manifest(shards(tmp_path / "train")))
    generator = torch.Generator().manual_seed(0)
    for name, parameter in made.named_parameters():
        if ".score_" in name:
            torch.nn.init.normal_(parameter, 0, 0.1, generator=generator)
    return made.eval()


def gradients(made: torch.nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a noisy image labelled with class 1, and what it makes of every weight."""
    made.zero_grad()
    image = torch.randn(1, 3, 48, 40, generator=torch.Generator().manual_seed(1)) * 60
    scores = made(image)["semantic"]
    assert scores.dtype == torch.float32
    loss = cross_entropy(scores, torch.ones(1, 48, 40, dtype=torch.uint8), 255)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach(), {name: weight.grad for name, weight in made.named_parameters() if weight.grad is not None}


def test_bfloat16_is_the_forwards_alone_and_its_gradients_are_float32s_but_for_rounding(tmp_path: Path) -> None:
    made = net(tmp_path)
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    loss, fine = gradients(made)
    autocast(made, "fp32", CPU)
    again, same = gradients(made)
    assert torch.equal(loss, again)
    assert all(torch.equal(fine[name], same[name]) for name in fine)
    autocast(made, "bf16", CPU)
    inside: list[torch.dtype] = []
    made.backbone.register_forward_hook(lambda *passed: inside.extend(map_.dtype for map_ in passed[2].values()))
    rough, coarse = gradients(made)
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
