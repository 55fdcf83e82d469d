"""``fcn export`` writes a recipe's net as ONNX."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
from click.testing import CliRunner

from ops.fcn import main
from tests.serving.world import saved, spec


def test_a_net_is_written_and_what_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["export", "--out", "net.onnx"])
    assert done.stderr == "Error: say which net, with one of --model FILE or --registry NAME@ALIAS\n"
    saved(tmp_path / "model.safetensors", spec(stride=32))
    done = CliRunner().invoke(main, ["export", "--model", "model.safetensors", "--out", "nets/net.onnx"])
    assert done.exit_code == 0 and done.stdout.splitlines()[-1] == "wrote nets/net.onnx"
    session = onnxruntime.InferenceSession(str(tmp_path / "nets/net.onnx"), providers=["CPUExecutionProvider"])
    assert [of.name for of in session.get_outputs()] == ["semantic", "semantic_scores"]
