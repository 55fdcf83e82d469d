"""The stage turns a folder of weights into a backbone, or says in one line why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

from pipeline.backbones.shared.random_start import random_start
from pipeline.core import plugins
from pipeline.spec import NetSpec
from pipeline.weights import checkpoint
from stages import convolutionalize as stage
from stages.shared.dvc import Params

LEAVES = {"runtime.torch": "2.15.0", "runtime.threads": 1, "backbones.vgg16.padding": 36}


def test_writes_the_backbone_and_its_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage, "declared", lambda name, key: Params(f"{name}@{key}", LEAVES))
    monkeypatch.setattr(stage.determinism, "start", lambda runtime: None)  # its flags would outlive the test

    absent = CliRunner().invoke(stage.main, ["vgg16"])
    assert absent.exit_code == 1
    assert "no weights manifest at data/weights/vgg16/manifest.json" in absent.output

    spec = NetSpec(backbone="vgg16", width=0.02, crop=96, padding=1, mean=(120.0, 110.0, 100.0))
    net = plugins.load("backbones", "vgg16").Classifier(spec, 3)
    random_start(net, spec, torch.Generator().manual_seed(0))
    torch.nn.init.ones_(net.fc8.weight)
    folder = tmp_path / "data/weights/vgg16"
    folder.mkdir(parents=True)
    save_file(net.state_dict(), folder / "classifier.safetensors")
    manifest = {"file": "classifier.safetensors", "format": "classifier", "order": "RGB", "range": 255}
    manifest |= {"mean": [120.0, 110.0, 100.0], "std": [1, 1, 1], "crop": 96, "width": 0.02, "classes": list("abc")}
    (folder / "manifest.json").write_text(json.dumps(manifest))

    done = CliRunner().invoke(stage.main, ["vgg16"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    written, tensors = checkpoint.load(tmp_path / "weights/vgg16-fcn.safetensors")
    assert (written.padding, written.mean, written.heads["imagenet"].classes) == (36, spec.mean, ("a", "b", "c"))
    assert tensors["score.imagenet.weight"].shape[0] == 3
    proof = json.loads((tmp_path / "weights/vgg16-fcn.json").read_text())
    assert set(proof) == {"max_abs_diff", "relative", "parameters", "spec"}
