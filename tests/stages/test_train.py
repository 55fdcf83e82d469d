"""The stage trains the row it is named after and leaves weights and a history, or says in one line why not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from pipeline.fcn import checkpoint
from stages import train as stage
from stages._params import Params
from tests.training.world import classifier, row, shards


def leaves(**solver: object) -> dict[str, object]:
    """params.yaml's leaves as dvc.yaml declares them for the stage: all of a row but ``evaluate``."""
    fields = {name: value for name, value in row().items() if name != "evaluate"}
    numbers = {**fields.pop("solver"), "iterations": 3, **solver}  # type: ignore[dict-item]
    return {
        "runtime.torch": "2.15.0",
        "runtime.threads": 1,
        "runtime.precision": "fp32",
        **{f"recipes.noise-fcn.{name}": value for name, value in fields.items()},
        **{f"recipes.noise-fcn.solver.{name}": value for name, value in numbers.items()},
    }


def run(monkeypatch: pytest.MonkeyPatch, params: dict[str, object]) -> tuple[int, str]:
    monkeypatch.setattr(stage, "declared", lambda name, key: Params(f"{name}@{key}", params))
    monkeypatch.setattr(stage.determinism, "start", lambda runtime: torch.device("cpu"))  # its flags would outlive us
    result = CliRunner().invoke(stage.main, ["noise-fcn"])
    return result.exit_code, result.output


def test_writes_weights_and_history_and_tells_of_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shards(tmp_path / "data/shards/noise/train")
    (tmp_path / "weights").mkdir()
    classifier(tmp_path / "weights/vgg16-fcn.safetensors")
    code, output = run(monkeypatch, leaves())
    assert code == 0, output
    assert output.splitlines() == [
        "copied: 30 tensors (backbone.conv1_1.weight, …, backbone.fc7.bias)",
        "zero: 2 tensors (semantic.score_fr.weight, semantic.score_fr.bias)",
    ]
    assert checkpoint.load(tmp_path / "runs/noise-fcn/model.safetensors")[0].stride == 32
    history = (tmp_path / "runs/noise-fcn/history.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in history] == ["iteration", "1", "2", "3"]


def test_a_refusal_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, output = run(monkeypatch, leaves(lr="1e-10"))
    assert code == 1
    assert output == "Error: recipes.noise-fcn.solver.lr is the text '1e-10': write it with a dot, 1.0e-10\n"
    code, output = run(monkeypatch, leaves())
    assert code == 1
    assert output.count("\n") == 1
    assert "data/shards/noise/train is no finished split" in output
