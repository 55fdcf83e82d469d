"""The stage trains the row it is named after and leaves weights and a history, or says in one line why not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from pipeline.weights import checkpoint
from stages import train as stage
from tests.training.world import configure, repository


def run(monkeypatch: pytest.MonkeyPatch, root: Path) -> tuple[int, str]:
    monkeypatch.chdir(root)
    monkeypatch.setattr(stage.determinism, "start", lambda *_: torch.device("cpu"))  # its flags would outlive us
    result = CliRunner().invoke(stage.main, ["noise-fcn"])
    return result.exit_code, result.output


def test_writes_weights_and_history_and_tells_of_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, output = run(monkeypatch, repository(tmp_path, iterations=3))
    assert code == 0, output
    assert output.splitlines()[:-1] == [
        "copied: 30 tensors (backbone.conv1_1.weight, …, backbone.fc7.bias)",
        "zero: 2 tensors (semantic.score_fr.weight, semantic.score_fr.bias)",
    ]
    assert output.splitlines()[-1].startswith("trained for ")
    assert checkpoint.load(tmp_path / "runs/noise-fcn/model.safetensors")[0].stride == 32
    history = (tmp_path / "eval/noise-fcn/history.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in history] == ["iteration", "1", "2", "3"]


def test_a_refusal_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = repository(tmp_path, lr="1e-10")
    code, output = run(monkeypatch, root)
    assert code == 1
    assert output == "Error: recipes.noise-fcn.solver.lr is the text '1e-10': write it with a dot, 1.0e-10\n"
    configure(root)
    (root / "data/shards/noise/train/_manifest.json").unlink()
    code, output = run(monkeypatch, root)
    assert code == 1
    assert output.count("\n") == 1
    assert "data/shards/noise/train is no finished split" in output
