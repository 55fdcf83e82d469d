"""Weights carry their net, and equal weights are equal bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipeline.core.files import sha256
from pipeline.core.types import LabelSpec, Refusal
from pipeline.spec import NetSpec
from pipeline.weights import checkpoint

SEMANTIC = LabelSpec(classes=("background", "chat noir"), palette=((0, 0, 0), (128, 0, 0)))
SPEC = NetSpec(
    backbone="vgg16", width=0.125, crop=96, padding=36, mean=(122.67892, 117.0, 104.0), heads={"semantic": SEMANTIC}
)


def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {f"layer{i}.weight": torch.randn(i + 1, 3, generator=generator) for i in range(12)}


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "model.safetensors"
    checkpoint.save(path, tensors(), SPEC)
    spec, loaded = checkpoint.load(path)
    assert spec == SPEC
    assert list(loaded) == sorted(tensors())
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors().items())
    assert [file.name for file in path.parent.iterdir()] == ["model.safetensors"]


def test_same_bytes_from_any_order_and_layout(tmp_path: Path) -> None:
    """And from any process: trainings show that."""
    turned = {name: tensor.T.contiguous().T for name, tensor in reversed(tensors().items())}
    for name, state in (("a", tensors()), ("b", turned)):
        checkpoint.save(tmp_path / name, state, SPEC)
    assert sha256(tmp_path / "a") == sha256(tmp_path / "b")


def test_refuses_what_it_did_not_write(tmp_path: Path) -> None:
    save_file(tensors(), tmp_path / "bare")
    save_file(tensors(), tmp_path / "odd", metadata={"spec": "{}"})
    save_file(tensors(), tmp_path / "newer", metadata={"spec": json.dumps({**SPEC.to_json(), "stretch": 3})})
    (tmp_path / "text").write_text("not weights")
    (tmp_path / "cut").write_bytes((tmp_path / "bare").read_bytes()[:-5])
    no_file, no_net = "not a safetensors file", "tells no net"
    cases = {"absent": "no weights at", "text": no_file, "cut": no_file, "bare": no_net, "odd": no_net, "newer": no_net}
    for name, message in cases.items():
        with pytest.raises(Refusal, match=message):
            checkpoint.load(tmp_path / name)
