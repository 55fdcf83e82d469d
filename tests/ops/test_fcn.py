"""``fcn`` itself: it starts fast, works in any folder of a clone, and refuses in one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ops import plan
from ops._plan import MAY_RUN, RESTORED, RUN, Plan, Step
from tests.closure import ROOT
from tests.launch import fcn
from tests.ops.test_run import DIAMOND, project, run

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's, of its pygtrie


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that never ran, and its subfolder, where we are."""
    root = project(tmp_path / "bare", DIAMOND)
    (root / "sub").mkdir()
    monkeypatch.chdir(root / "sub")
    return root


def test_from_a_subfolder_the_clone_is_found_and_paths_mean_what_they_meant(bare: Path) -> None:
    (bare / "params.yaml").write_text("net: {lr: 1}\n")
    assert "5 run, 0 unchanged" in fcn("plan").output
    assert Path.cwd() == bare
    (bare / "results").mkdir()
    for name in ("report.html", "report.md"):
        (bare / "results" / name).touch()
    os.chdir(bare / "sub")
    said = fcn("report", "--out", "../results/x.html").output
    assert said.startswith(f"Error: {bare}/sub/../results/x.html is among the results")


def test_what_keeps_dvc_from_reading_is_one_line_with_its_remedy(bare: Path) -> None:
    (bare / "dvc.lock").write_text("<<<<<<< HEAD\n")
    remedy = "dvc.lock has a merge conflict: git checkout --ours dvc.lock (or --theirs), then fcn run\n"
    for verb in ("plan", "verify", "lineage fit", "gate fit"):
        assert fcn(*verb.split(), code=1).output.endswith(remedy)
    assert run(bare)[1].endswith("then fcn run\n")
    (bare / "dvc.lock").unlink()
    (bare / "params.yaml").write_text("a: [")
    said = fcn("plan", code=1).output
    assert said.startswith(f"Error: {bare}/params.yaml cannot be read (") and said.count("\n") == 1
    (bare / "params.yaml").write_text("net: {lr: 1}\n")
    shutil.rmtree(bare / ".git")
    remedy = "is not a git repository: git clone the project (a zip file has no .git), or git init\n"
    assert fcn("plan").output == f"Error: {bare} {remedy}"
    os.chdir(bare.parent)
    assert "not inside of a DVC repository" in fcn("plan", code=1).output


def test_help_imports_no_verb() -> None:
    script = "import sys; sys.argv[1:] = ['--help']; from ops.fcn import main; main(standalone_mode=False)"
    heavy = "assert not {'torch', 'mlflow', 'dvc', 'numpy', 'ops.run'} & {*sys.modules}"
    said = subprocess.run(
        [sys.executable, "-c", f"{script}; {heavy}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {"verify", "ci", "run"} <= {line.split()[0] for line in said.stdout.splitlines() if line.strip()}


def test_a_plan_says_what_is_known_of_each_step() -> None:
    steps = (
        Step("train@a", RUN, ("lr 1 → 2", "x.py changed", "y.py changed", "z.py changed"), 246.0, 12_400_000),
        Step("evaluate@a", MAY_RUN, ("after train@a",), None, 0),
        Step("join", RESTORED, ("command changed",), 0.0, 999),
    )
    *lines, last = plan.lines(Plan(steps, 80))
    assert lines == [
        "run       train@a     about 4 min  12 MB to pull  lr 1 → 2, x.py changed, y.py changed, 1 more",
        "may run   evaluate@a  unknown                     after train@a",
        "restored  join                     999 B to pull  command changed",
    ]
    assert last == (
        "1 run, 1 restored, 1 may run, 80 unchanged; at least 4 min one after another, 1 stage never ran here; "
        "12 MB to pull"
    )
    table = plan.markdown(Plan(steps, 80)).splitlines()
    assert table[0].startswith("| Stage ")
    assert table[2].startswith("| `train@a` ")
    assert table[-1] == last
    assert plan.markdown(Plan((), 85)) == "nothing to run: 85 stages unchanged"


@pytest.mark.parametrize("place", ["/proc/x", "file", "file/x.html", "x" * 300, "/dev/null"])
@pytest.mark.parametrize("command", ["predict a.png", "export", "submit", "report"])
def test_where_nothing_can_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.tgz").mkdir()
    place = "file.tgz" if (command, place) == ("submit", "file") else place
    (tmp_path / "file").write_text("kept")
    done = fcn(*command.split(), "--out", place, code=1)
    assert done.output.startswith(f"Error: {place} "), done.output
    assert done.output.count("\n") == 1 and ": name another f" in done.output
    assert (tmp_path / "file").read_text() == "kept" and Path("/dev/null").is_char_device()
