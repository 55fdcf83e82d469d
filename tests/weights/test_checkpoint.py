"""Weights carry their net, and equal weights are equal bytes."""

from __future__ import annotations

import subprocess
import sys
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

WRITE = """
import sys
from pathlib import Path
import torch
from pipeline.fcn import checkpoint
from test_checkpoint import SPEC, tensors
checkpoint.save(Path(sys.argv[1]), tensors(), SPEC)
"""


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


def test_same_bytes_from_any_process_order_and_layout(tmp_path: Path) -> None:
    for name in ("a", "b"):
        command = [sys.executable, "-c", WRITE, str(tmp_path / name)]
        paths = f"{Path(__file__).parent}:{Path(__file__).parents[2]}"
        subprocess.run(command, check=True, env={"PYTHONPATH": paths, "PYTHONHASHSEED": "random"})
    turned = {name: tensor.T.contiguous().T for name, tensor in reversed(tensors().items())}
    checkpoint.save(tmp_path / "c", turned, SPEC)
    assert sha256(tmp_path / "a") == sha256(tmp_path / "b") == sha256(tmp_path / "c")


def test_refuses_what_it_did_not_write(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="no weights at"):
        checkpoint.load(tmp_path / "absent.safetensors")
    (tmp_path / "text").write_text("not weights")
    with pytest.raises(Refusal, match="not a safetensors file"):
        checkpoint.load(tmp_path / "text")
    save_file(tensors(), tmp_path / "bare")
    with pytest.raises(Refusal, match="tells no net"):
        checkpoint.load(tmp_path / "bare")
    save_file(tensors(), tmp_path / "odd", metadata={"spec": "{}"})
    with pytest.raises(Refusal, match="tells no net"):
        checkpoint.load(tmp_path / "odd")
    (tmp_path / "cut").write_bytes((tmp_path / "bare").read_bytes()[:-5])
    with pytest.raises(Refusal, match="not a safetensors file"):
        checkpoint.load(tmp_path / "cut")
