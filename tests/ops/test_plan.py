"""fcn plan, and fcn run where data is not here: what is said is what DVC says, and what the run after it does."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ops import _journal as journal
from ops import fcn
from ops import plan as page
from ops._amount import duration, size
from ops._plan import MAY_RUN, PARTIAL, RESTORED, RUN, Plan, Step, plan
from tests.closure import ROOT
from tests.ops.test_run import environment, project, run

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's, of its pygtrie

CODE = {
    "data": {"cmd": "wc -l < code > data", "deps": ["code"], "outs": ["data"]},
    "fit": {
        "cmd": "grep lr params.yaml > fit; cat data >> fit",
        "deps": ["data"],
        "params": ["net.lr"],
        "outs": ["fit"],
    },
    "score": {"cmd": "wc -c < fit > score", "deps": ["fit"], "outs": ["score"]},
    "other": {"cmd": "cat data > other", "deps": ["data"], "outs": ["other"]},
}


def net(name: str) -> dict[str, Any]:
    fit = f"grep '^{name}' params.yaml > runs/{name}/net; cat d/train/x >> runs/{name}/net"
    score = f"cp runs/{name}/net eval/{name}/hist; cp runs/{name}/net eval/{name}/panels/1"
    return {
        f"train-{name}": {
            "cmd": f"mkdir -p runs/{name}; {fit}",
            "deps": ["d", "code"],
            "params": [name],
            "outs": [f"runs/{name}/net"],
        },
        f"evaluate-{name}": {
            "cmd": f"mkdir -p eval/{name}/panels; {score}; wc -c < runs/{name}/net > eval/{name}/metrics.json",
            "deps": [f"runs/{name}/net"],
            "outs": [f"eval/{name}/hist", f"eval/{name}/panels"],
            "metrics": [{f"eval/{name}/metrics.json": {"cache": False}}],
        },
    }


STAGES: dict[str, Any] = {
    "convert": {"cmd": "mkdir -p d/train d/val; cp code d/train/x; seq 100 > d/val/y", "deps": ["code"], "outs": ["d"]},
    **net("a"),
    **net("b"),
    "join": {"cmd": "cat eval/*/hist > joined", "deps": ["eval"], "outs": ["joined"]},
    "report": {
        "cmd": "cat eval/*/metrics.json > table",
        "deps": ["eval"],
        "outs": [{"table": {"cache": False}}],
    },
    "publish": {
        "cmd": "grep -c md5 dvc.lock > published",
        "deps": ["joined", "table"],
        "outs": [{"published": {"cache": False}}],
    },
}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world of ``world``, before anybody changes it: seconds to make, none to copy."""
    root = tmp_path_factory.mktemp("world")
    full = project(root / "full", STAGES)
    (full / ".gitignore").write_text("/d\n/runs\n/joined\n/published\nhist\npanels\n.seconds.tsv\n")
    (full / "params.yaml").write_text("runtime: {device: cpu, threads: 1}\na: 1\nb: 1\n")
    dvc(full, "remote", "add", "-d", "far", "../far")  # relative, so that each copy has its own
    code, output = run(full, "--jobs", "2")
    assert code == 0, output
    dvc(full, "push", "-q", "--run-cache")
    command(full, "git", "add", "-A")
    command(full, "git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "all of it")
    command(root, "git", "clone", "-q", "full", "clone")
    return root


@pytest.fixture
def world(made: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A project that ran and pushed to the folder ``far`` beside it, and a clone of it without data."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True, symlinks=True)
    assert [path.name for path in (tmp_path / "clone/eval/a").iterdir()] == ["metrics.json"]
    return tmp_path / "full", tmp_path / "clone"


def command(root: Path, *words: str) -> str:
    done = subprocess.run(words, cwd=root, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dvc(root: Path, *words: str) -> str:
    return command(root, sys.executable, "-m", "dvc", *words)


def planned(root: Path, *targets: str, allow_missing: bool | None = None) -> Plan:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        return plan(root, targets, allow_missing)


def actions(found: Plan) -> dict[str, str]:
    return {step.stage: step.action for step in found.steps}


def in_words_of_dvc(root: Path) -> set[str]:
    return set(re.findall(r"Running stage '(.*)'", dvc(root, "repro", "--dry", "--allow-missing")))


def executed(root: Path) -> set[str]:
    return set(re.findall(r"Running stage '(.*)'", dvc(root, "repro")))


def test_it_agrees_with_dvc_before_and_with_the_repro_after(tmp_path: Path) -> None:
    root = project(tmp_path / "project", CODE)
    (root / "params.yaml").write_text("net: {lr: 1.0e-10}\n")
    assert actions(planned(root)) == dict.fromkeys(["data", "fit", "score", "other"], RUN)
    assert {step.reasons for step in planned(root).steps} == {
        ("new stage",),
        ("new stage", "after data"),
        ("new stage", "after fit"),
    }
    assert executed(root) == {"data", "fit", "score", "other"}
    assert planned(root) == Plan((), unchanged=4)

    change(root, "params.yaml", "1.0e-10", "2.0e-10")
    found = planned(root)
    assert actions(found) == {"fit": RUN, "score": MAY_RUN}
    assert [step.reasons for step in found.steps] == [("net.lr 1e-10 → 2e-10",), ("after fit",)]
    assert {step.stage for step in found.runs} == in_words_of_dvc(root)
    assert executed(root) == set(actions(found)), "another param, other bytes"

    (root / "code").write_text("2\n")
    change(root, "dvc.yaml", "wc -c < fit", "wc -m < fit")
    found = planned(root)
    assert actions(found) == {"data": RUN, "fit": MAY_RUN, "score": RUN, "other": MAY_RUN}
    assert found.steps[2].reasons == ("command changed", "after fit")
    certain = {step.stage for step in found.runs}
    assert certain == in_words_of_dvc(root)
    assert certain <= executed(root) <= set(actions(found))


def test_an_output_that_is_gone_is_restored_or_written_again(world: tuple[Path, Path]) -> None:
    full, _ = world
    (full / "joined").unlink()
    found = planned(full)
    assert [(step.stage, step.action, step.reasons) for step in found.steps] == [
        ("join", RESTORED, ("output joined missing",))
    ]
    shutil.rmtree(full / ".dvc/cache")
    assert actions(planned(full, allow_missing=False))["join"] == RUN
    assert planned(full) == Plan((), 8, (PARTIAL,))


def test_a_clone_without_data_tells_what_it_would_pull_and_pulls_nothing(world: tuple[Path, Path]) -> None:
    full, clone = world
    found = planned(clone)
    assert found == Plan((), 8, (PARTIAL,))
    assert planned(clone, allow_missing=True) == Plan((), 8)
    change(clone, "params.yaml", "a: 1", "a: 22")
    found = planned(clone)
    pulls = {step.stage: step.pulls for step in found.steps}
    of_b = sum((full / "eval/b" / name).stat().st_size for name in ("hist", "panels/1"))
    assert pulls == {
        "train-a": sum((full / "d" / name).stat().st_size for name in ("train/x", "val/y")),
        "evaluate-a": 0,
        "join": of_b,
        "report": 0,
        "publish": 0,
    }
    assert not (clone / "d").exists()
    assert [path.suffix for path in (clone / ".dvc/cache").rglob("*") if path.is_file()].count("") == 0

    dvc(clone, "remote", "remove", "far")
    shutil.rmtree(clone / ".dvc/cache", ignore_errors=True)
    change(clone, "params.yaml", "a: 22", "a: 1")
    assert planned(clone, allow_missing=True) == Plan((), 8)


def test_code_that_changed_runs_what_reads_it_where_the_data_is_not_here(world: tuple[Path, Path]) -> None:
    _, clone = world
    (clone / "code").write_text("2\n")
    found = {step.stage: (step.action, step.reasons) for step in planned(clone).steps}
    assert found["convert"] == (RUN, ("code changed",))
    assert found["train-a"] == found["train-b"] == (RUN, ("code changed", "after convert"))


def test_seconds_are_those_of_the_last_run_here(world: tuple[Path, Path]) -> None:
    full, _ = world
    took = {line.stage: line.seconds for line in journal.read(full)}
    assert len(took) == 8
    with (full / journal.NAME).open("a") as file:
        file.write(f"train-a\t200.0\t\t{'0' * 8}\nevaluate-a\t77.0\tpaper\t{'0' * 8}\nhalf a li")
    change(full, "params.yaml", "a: 1", "a: 22")
    seconds = {step.stage: step.seconds for step in planned(full).steps}
    assert seconds["train-a"] == 200.0, "the newest, for none had these params"
    assert seconds["evaluate-a"] == took["evaluate-a"], "one of another scale is no measure"
    change(full, "params.yaml", "a: 22", "a: 1")
    (full / "code").write_text("2\n")
    seconds = {step.stage: step.seconds for step in planned(full).steps}
    assert seconds["train-a"] == took["train-a"], "one had these very params"


def test_pages_are_for_people_json_for_machines_and_refusals_one_line(
    world: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, clone = world
    change(clone, "params.yaml", "a: 1", "a: 22")
    monkeypatch.chdir(clone)
    said = CliRunner().invoke(page.main, ["evaluate-a", "--json"])
    found = json.loads(said.output)
    assert [step["stage"] for step in found["steps"]] == ["train-a", "evaluate-a"]
    assert found["steps"][0]["reasons"] == ["a 1 → 22"]
    assert (found["pulls"], found["unchanged"], found["notes"]) == (294, 1, [PARTIAL])
    said = CliRunner().invoke(page.main, ["evaluate-a"])
    assert said.output.splitlines()[0] == "run      train-a     unknown  294 B to pull  a 1 → 22"
    assert said.output.splitlines()[-2] == "1 run, 1 may run, 1 unchanged; nobody knows how long; 294 B to pull"
    said = CliRunner().invoke(page.main, ["--markdown", "train"])
    assert said.exit_code == 1
    assert said.output == "Error: no stage train: did you mean train-b?\n"
    (clone / "params.yaml").write_text("a: [")
    said = CliRunner().invoke(page.main, [])
    assert said.output.startswith(f"Error: {clone}/params.yaml cannot be read (") and said.output.count("\n") == 1
    monkeypatch.chdir(clone.parent)
    said = CliRunner().invoke(page.main, [])
    assert said.exit_code == 1
    assert "not inside of a DVC repository" in said.output


def test_a_page_says_what_is_known() -> None:
    steps = (
        Step("train@a", RUN, ("lr 1 → 2", "x.py changed", "y.py changed", "z.py changed"), 246.0, 12_400_000),
        Step("evaluate@a", MAY_RUN, ("after train@a",), None, 0),
        Step("join", RESTORED, ("command changed",), 0.0, 999),
    )
    *lines, last = page.lines(Plan(steps, 80))
    assert lines == [
        "run       train@a     about 4 min  12 MB to pull  lr 1 → 2, x.py changed, y.py changed, 1 more",
        "may run   evaluate@a  unknown                     after train@a",
        "restored  join                     999 B to pull  command changed",
    ]
    assert last == (
        "1 run, 1 restored, 1 may run, 80 unchanged; at least 4 min one after another, 1 stage never ran here; "
        "12 MB to pull"
    )
    table = page.markdown(Plan(steps, 80)).splitlines()
    assert table[0].startswith("| Stage ")
    assert table[2].startswith("| `train@a` ")
    assert table[-1] == last
    assert page.markdown(Plan((), 85)) == "nothing to run: 85 stages unchanged"
    sizes = [size(bytes_) for bytes_ in (0, 999, 1000, 4_949_000, 12_400_000, 2.5e12)]
    assert sizes == ["0 B", "999 B", "1.0 kB", "4.9 MB", "12 MB", "2.5 TB"]
    assert [duration(seconds) for seconds in (0.2, 40, 246, 9000)] == ["1 s", "40 s", "4 min", "2.5 h"]


NOTHING = "nothing to run: 8 stages unchanged\n"


def change(root: Path, name: str, before: str, after: str) -> None:
    (root / name).write_text((root / name).read_text().replace(before, after))


def cached(root: Path) -> list[Path]:
    """What DVC has in its cache."""
    return [path for path in (root / ".dvc/cache/files").rglob("*") if path.is_file()]


def ran(output: str) -> set[str]:
    return {line.split("]")[0][1:] for line in output.splitlines() if " done in " in line}


def test_a_clone_without_data_runs_what_changed_and_its_lock_is_a_full_clones(world: tuple[Path, Path]) -> None:
    full, clone = world
    lock = (clone / "dvc.lock").read_bytes()
    code, output = run(clone, "--pull", "--allow-missing", "--jobs", "2")
    assert (code, output) == (0, NOTHING)
    assert (clone / "dvc.lock").read_bytes() == lock
    assert not cached(clone)

    change(full, "params.yaml", "a: 1", "a: 22")
    change(clone, "params.yaml", "a: 1", "a: 22")
    assert run(full)[0] == 0
    code, output = run(clone, "--pull", "--allow-missing", "--jobs", "2")
    assert code == 0, output
    assert ran(output) == {"train-a", "evaluate-a", "join", "report", "publish"}
    assert (clone / "dvc.lock").read_bytes() == (full / "dvc.lock").read_bytes() != lock
    for name in ("joined", "table", "published"):
        assert (clone / name).read_bytes() == (full / name).read_bytes()
    assert not (clone / "runs/b").exists(), "nobody reads it"

    code, output = run(clone, "--pull", "--allow-missing")
    assert (code, output) == (0, NOTHING)


def test_a_run_that_the_remote_knows_is_restored(world: tuple[Path, Path]) -> None:
    full, clone = world
    change(full, "params.yaml", "a: 1", "a: 22")
    assert run(full, "train-a")[0] == 0
    dvc(full, "push", "-q", "--run-cache")
    change(clone, "params.yaml", "a: 1", "a: 22")
    code, output = run(clone, "--pull", "--allow-missing", "train-a")
    assert code == 0
    assert "[train-a] restored from the cache of runs" in output
    assert not ran(output)
    assert (clone / "runs/a/net").read_bytes() == (full / "runs/a/net").read_bytes()
    assert (clone / "dvc.lock").read_bytes() == (full / "dvc.lock").read_bytes()


def test_pull_alone_brings_all_and_dvc_repro_finds_nothing_to_do(world: tuple[Path, Path]) -> None:
    full, clone = world
    (clone / "published").write_bytes((full / "published").read_bytes())
    code, output = run(clone, "--pull")
    assert (code, output) == (0, NOTHING)
    assert (clone / "runs/b/net").read_bytes() == (full / "runs/b/net").read_bytes()
    assert (clone / "d/val/y").is_file()


def test_what_cannot_be_had_is_named(world: tuple[Path, Path]) -> None:
    _, clone = world
    dvc(clone, "remote", "remove", "far")
    assert run(clone, "--allow-missing") == (0, NOTHING)
    change(clone, "params.yaml", "a: 1", "a: 22")
    lock = (clone / "dvc.lock").read_bytes()
    code, output = run(clone, "--allow-missing")
    assert code == 1
    assert "Error: failed: train-a (it needs d: add --pull)" in output
    code, output = run(clone, "--pull", "--allow-missing")
    assert code == 1
    assert "d cannot be pulled (" in output
    assert (clone / "dvc.lock").read_bytes() == lock


def test_a_file_that_git_keeps_and_that_is_missing_makes_its_stage_stale(world: tuple[Path, Path]) -> None:
    """So it is where an evaluation was killed: its stage runs again, and nobody else's numbers are brought back."""
    _, clone = world
    (clone / "eval/b/metrics.json").unlink()
    step = planned(clone).steps[0]
    assert (step.stage, step.action, step.reasons) == ("evaluate-b", RUN, ("output eval/b/metrics.json missing",))
    code, output = run(clone, "--pull", "--allow-missing")
    assert code == 0, output
    assert "[evaluate-b] done" in output
    assert (clone / "eval/b/metrics.json").is_file()
    assert run(clone, "--pull", "--allow-missing") == (0, NOTHING), "what neither of them keeps may be absent"


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that never ran, and its subfolder, where we are."""
    root = project(tmp_path / "bare", CODE)
    (root / "sub").mkdir()
    monkeypatch.chdir(root / "sub")
    return root


def test_from_a_subfolder_the_clone_is_found_and_paths_mean_what_they_meant(bare: Path) -> None:
    (bare / "params.yaml").write_text("net: {lr: 1}\n")
    assert "4 run, 0 unchanged" in CliRunner().invoke(fcn.main, ["plan"]).output
    assert Path.cwd() == bare
    (bare / "results").mkdir()
    for name in ("report.html", "report.md"):
        (bare / "results" / name).touch()
    os.chdir(bare / "sub")
    said = CliRunner().invoke(fcn.main, ["report", "--out", "../results/x.html"]).output
    assert said.startswith(f"Error: {bare}/sub/../results/x.html is among the results")


def test_what_keeps_dvc_from_reading_is_one_line_with_its_remedy(bare: Path) -> None:
    (bare / "dvc.lock").write_text("<<<<<<< HEAD\n")
    for verb in (["plan"], ["verify"], ["lineage", "fit"], ["gate", "fit"], ["gc"]):
        said = CliRunner().invoke(fcn.main, verb).output
        assert said.endswith(
            "dvc.lock has a merge conflict: git checkout --ours dvc.lock (or --theirs), then fcn run\n"
        )
    assert run(bare)[1].endswith("then fcn run\n")
    (bare / "dvc.lock").unlink()
    shutil.rmtree(bare / ".git")
    (bare / "params.yaml").write_text("net: {lr: 1}\n")
    wanted = "is not a git repository: git clone the project (a zip file has no .git), or git init\n"
    assert CliRunner().invoke(fcn.main, ["plan"]).output == f"Error: {bare} {wanted}"


def test_help_imports_no_verb() -> None:
    script = "import sys; sys.argv[1:] = ['--help']; from ops.fcn import main; main(standalone_mode=False)"
    heavy = "assert not {'torch', 'mlflow', 'dvc', 'numpy', 'ops.run'} & {*sys.modules}"
    said = subprocess.run(
        [sys.executable, "-c", f"{script}; {heavy}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {"verify", "ci", "run"} <= {line.split()[0] for line in said.stdout.splitlines() if line.strip()}
