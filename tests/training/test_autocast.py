"""A net may compute in bfloat16 while weights, loss and gradients stay float32, and repeats itself all the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pipeline.core import files
from pipeline.fcn.net import FCN, LateFCN
from pipeline.shards.schema import read_manifest
from pipeline.training.autocast import autocast
from pipeline.training.loss import cross_entropy
from pipeline.training.train import start
from pipeline.weights import checkpoint
from tests.training.world import classifier, recipe, shards

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")

SCRIPT = """
import sys
from pathlib import Path
from pipeline import determinism
from pipeline.training.train import train
from tests.training.world import recipe
world, out = map(Path, sys.argv[1:])
for precision in ("fp32", "bf16"):
    device = determinism.start({"threads": 1, "precision": precision})
    shards, init = world / "train", world / "init.safetensors"
    row = recipe(stride=8, lr=1e-8)
    train(row, shards=shards, init=init, out=out / precision, device=device, say=len, precision=precision)
"""


def test_two_processes_train_the_same_bfloat16_net_and_it_is_another_than_float32s(tmp_path: Path) -> None:
    shards(tmp_path / "train")
    classifier(tmp_path / "init.safetensors")
    for out in ("here", "there"):
        command = [sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path), str(tmp_path / out)]
        subprocess.run(command, cwd=ROOT, check=True)
    written = [f"{precision}/{name}" for precision in ("fp32", "bf16") for name in ("history.tsv", "model.safetensors")]
    here, there = ([files.sha256(tmp_path / out / path) for path in written] for out in ("here", "there"))
    assert here == there
    assert len(set(here)) == 4
    spec, tensors = checkpoint.load(tmp_path / "here/bf16/model.safetensors")
    assert spec == checkpoint.load(tmp_path / "here/fp32/model.safetensors")[0]
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    fine, coarse = (losses(tmp_path / "here" / precision) for precision in ("fp32", "bf16"))
    assert coarse == pytest.approx(fine, rel=0.02)
    first = checkpoint.load(tmp_path / "init.safetensors")[1]
    assert not any(torch.equal(first[name], tensors[name]) for name in first if name.endswith("conv5_3.weight"))


def losses(run: Path) -> list[float]:
    return [float(line.split("\t")[1]) for line in (run / "history.tsv").read_text().splitlines()[1:]]


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
    autocast(made, "bf16", CPU)
    inside: list[torch.dtype] = []
    made.backbone.register_forward_hook(lambda *passed: inside.extend(map_.dtype for map_ in passed[2].values()))
    rough, coarse = gradients(made)
    assert set(inside) == {torch.bfloat16}
    assert rough.dtype == torch.float32
    assert {gradient.dtype for gradient in coarse.values()} == {torch.float32}
    after = made.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert float(rough) == pytest.approx(float(loss), rel=0.02)
    ours, theirs = (torch.cat([grads[name].flatten() for name in fine]) for grads in (coarse, fine))
    assert not torch.equal(ours, theirs)
    assert torch.nn.functional.cosine_similarity(ours, theirs, dim=0) > 0.99


def test_float32_is_the_net_as_it_was(tmp_path: Path) -> None:
    made = net(tmp_path)
    loss, fine = gradients(made)
    autocast(made, "fp32", CPU)
    again, same = gradients(made)
    assert torch.equal(loss, again)
    assert all(torch.equal(fine[name], same[name]) for name in fine)
