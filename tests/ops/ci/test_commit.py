"""Only results are committed, only when every stage ran, and nobody's work is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.closure import ROOT
from tests.ops.ci.project import commit, params, project, repro, sh


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A clone of origin's main, with a new lr that is committed and not run yet."""
    sh(tmp_path, "git", "init", "-q", "--bare", "-b", "main", "origin.git")
    (root := tmp_path / "clone").mkdir()
    project(root)
    params(root, {"voc-fcn16s": 0.3, "voc-fcn8s": 0.5})
    commit(root)
    sh(root, "git", "remote", "add", "origin", str(tmp_path / "origin.git"))
    sh(root, "git", "push", "-q", "origin", "main")
    return root


def run(root: Path) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"PYTHONPATH": str(ROOT), "GIT_CONFIG_GLOBAL": "/dev/null"}
    command = [sys.executable, "-m", "ops.fcn", "ci", "commit"]
    return subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, check=False)


def branches(root: Path) -> dict[str, str]:
    listed = sh(root, "git", "ls-remote", "--heads", "origin").splitlines()
    return {name.removeprefix("refs/heads/"): commit for commit, name in (line.split("\t") for line in listed)}


def test_an_unfinished_lock_is_never_pushed(root: Path) -> None:
    before = branches(root)
    done = run(root)
    assert done.returncode == 1
    assert done.stderr == "Error: evaluate@voc-fcn8s did not run: fcn ci run first\n"
    assert branches(root) == before


def test_a_file_that_no_stage_writes_is_refused(root: Path) -> None:
    repro(root)
    (root / "evaluate.txt").write_text("a note")
    done = run(root)
    assert done.returncode == 1
    assert "evaluate.txt differs from the commit, and no stage writes it" in done.stderr


def test_results_go_to_the_branch_that_was_retrained_and_start_nothing(root: Path) -> None:
    repro(root)
    done = run(root)
    assert done.returncode == 0, done.stderr
    head = sh(root, "git", "rev-parse", "HEAD")
    assert branches(root) == {"main": head}
    assert f"commit={head}\n" in done.stdout
    assert "[skip ci]" in sh(root, "git", "log", "-1", "--format=%B")
    changed = sh(root, "git", "show", "--format=", "--name-only").split()
    assert changed == ["dvc.lock", "eval/voc-fcn8s/metrics.json"]


def test_where_the_branch_has_moved_on_results_go_beside_it(root: Path, tmp_path: Path) -> None:
    sh(tmp_path, "git", "clone", "-q", "origin.git", "other")
    (tmp_path / "other/README").write_text("meanwhile")
    commit(tmp_path / "other")
    sh(tmp_path / "other", "git", "push", "-q")
    moved = branches(root)["main"]
    repro(root)
    assert run(root).returncode == 0
    head = sh(root, "git", "rev-parse", "HEAD")
    assert branches(root) == {"main": moved, f"retrain/{head[:12]}": head}
