"""What a retraining takes from its variables: overrides of params.yaml, and a folder that outlives the work tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ops.ci import _runner
from pipeline.core.types import Refusal
from tests.closure import ROOT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path


def test_overrides_compose_params_anew(root: Path) -> None:
    text = "recipes.voc-fcn16s.solver.lr=1.5e-08 'recipes.voc-fcn8s.solver.iterations=7'"
    assert _runner.override(root, {_runner.OVERRIDES: text})
    recipes = yaml.safe_load((root / "params.yaml").read_text())["recipes"]
    assert (recipes["voc-fcn16s"]["solver"]["lr"], recipes["voc-fcn8s"]["solver"]["iterations"]) == (1.5e-08, 7)


@pytest.mark.parametrize("environment", [{}, {_runner.OVERRIDES: ""}])
def test_without_any_params_stay(root: Path, environment: dict[str, str]) -> None:
    (root / "params.yaml").write_text("mine: 1\n")
    assert not _runner.override(root, environment)
    assert (root / "params.yaml").read_text() == "mine: 1\n"


@pytest.mark.parametrize(
    "text", ["recipes.voc-fcn9s.solver.lr=1.0e-08", "scale=papr", "lr=$(touch pwned)", "=;rm -rf x"]
)
def test_a_slip_is_refused_before_anything_is_written(root: Path, text: str) -> None:
    before = (root / "params.yaml").read_bytes()
    with pytest.raises(Refusal):
        _runner.override(root, {_runner.OVERRIDES: text})
    assert (root / "params.yaml").read_bytes() == before
    assert not (root / "pwned").exists()


def test_what_outlives_a_job_lies_in_the_scratch_folder_and_what_is_set_already_stays(tmp_path: Path) -> None:
    (root := tmp_path / "clone").mkdir()
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], cwd=root, check=True)
    environment = {_runner.SCRATCH: str(tmp_path / "scratch"), "FCN_SPOOL": "elsewhere"}
    for _ in range(2):
        lock = _runner.keep(root, environment)
    assert lock == tmp_path / "scratch/retraining"
    assert environment["FCN_SNAPSHOTS"] == str(tmp_path / "scratch/snapshots")
    assert environment["FCN_SPOOL"] == "elsewhere"
    assert str(tmp_path / "scratch/cache") in (root / ".dvc/config.local").read_text()
    assert _runner.keep(root, {}) == root / ".dvc/tmp/retraining"
