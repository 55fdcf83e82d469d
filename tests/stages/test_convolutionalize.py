"""The stage turns a folder of weights into a backbone, or says in one line why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from pipeline.weights import checkpoint
from stages import convolutionalize as stage
from tests.closure import ROOT
from tests.convolutionalize.test_convolutionalize import CLASSIFIER
from tests.convolutionalize.test_convolutionalize import written as weights_folder


def test_writes_the_backbone_and_its_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    params = {"runtime": {"threads": 1}, "backbones": {"vgg16": {"padding": 36}}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    (tmp_path / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    monkeypatch.setattr(stage.determinism, "start", lambda runtime: None)  # its flags would outlive the test

    absent = CliRunner().invoke(stage.main, ["vgg16"])
    assert absent.exit_code == 1
    assert "no weights manifest at data/weights/vgg16/manifest.json" in absent.output

    manifest = weights_folder(tmp_path / "data/weights/vgg16", "vgg16", CLASSIFIER)
    done = CliRunner().invoke(stage.main, ["vgg16"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    spec, tensors = checkpoint.load(tmp_path / "weights/vgg16-fcn.safetensors")
    assert (spec.padding, spec.mean, spec.heads["imagenet"].classes) == (36, manifest.mean, manifest.classes)
    assert tensors["score.imagenet.weight"].shape[0] == len(manifest.classes)
    proof = json.loads((tmp_path / "weights/vgg16-fcn.json").read_text())
    assert set(proof) == {"max_abs_diff", "relative", "parameters", "spec"}
