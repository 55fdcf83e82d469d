"""fcn plan, and fcn run where data is not here: what is said is what DVC says, and what the run after it does."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from ops import _journal as journal
from ops.plan import MAY_RUN, PARTIAL, RESTORED, RUN, Plan, plan
from tests.launch import fcn, git
from tests.ops.test_run import dvc, project, run

NOTHING = "nothing to run: 8 stages unchanged\n"
DRY = ("--dry", "--allow-missing")
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's, of its pygtrie

CODE = {
    "data": {"cmd": "wc -l < code > data", "deps": ["code"], "outs": ["data"]},
    "fit": {"cmd": "cat params.yaml data > fit", "deps": ["data"], "params": ["net.lr"], "outs": ["fit"]},
    "score": {"cmd": "wc -c < fit > score", "deps": ["fit"], "outs": ["score"]},
    "other": {"cmd": "cat data > other", "deps": ["data"], "outs": ["other"]},
}


def of_git(path: str) -> list[dict[str, dict[str, bool]]]:
    """An out that DVC does not keep."""
    return [{path: {"cache": False}}]


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
            "metrics": of_git(f"eval/{name}/metrics.json"),
        },
    }


STAGES: dict[str, Any] = {
    "convert": {"cmd": "mkdir -p d/train d/val; cp code d/train/x; seq 100 > d/val/y", "deps": ["code"], "outs": ["d"]},
    **net("a"),
    **net("b"),
    "join": {"cmd": "cat eval/*/hist > joined", "deps": ["eval"], "outs": ["joined"]},
    "report": {"cmd": "cat eval/*/metrics.json > table", "deps": ["eval"], "outs": of_git("table")},
    "publish": {"cmd": "grep -c md5 dvc.lock > published", "deps": ["joined", "table"], "outs": of_git("published")},
}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``full`` and ``clone`` before anybody changes them: seconds to make, none to copy."""
    root = tmp_path_factory.mktemp("world")
    full = project(root / "full", STAGES)
    (full / ".gitignore").write_text("/d\n/runs\n/joined\n/published\nhist\npanels\n.seconds.tsv\n")
    (full / "params.yaml").write_text("runtime: {device: cpu, threads: 1}\na: 1\nb: 1\n")
    dvc(full, "remote", "add", "-d", "far", "../far")  # relative, so that each copy has its own
    code, output = run(full, "--jobs", "2")
    assert code == 0, output
    dvc(full, "push", "-q", "--run-cache")
    git(full, "add", "-A")
    git(full, "commit", "-qm", "all of it")
    git(root, "clone", "-q", "full", "clone")
    return root


@pytest.fixture
def full(made: Path, tmp_path: Path) -> Path:
    """A project that ran and pushed to the folder ``far`` beside it."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True, symlinks=True)
    return tmp_path / "full"


@pytest.fixture
def clone(full: Path) -> Path:
    """A clone of ``full`` without data."""
    clone = full.with_name("clone")
    assert [path.name for path in (clone / "eval/a").iterdir()] == ["metrics.json"]
    return clone


def change(root: Path, name: str, before: str, after: str) -> None:
    (root / name).write_text((root / name).read_text().replace(before, after))


def planned(root: Path, *targets: str, allow_missing: bool | None = None) -> Plan:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        return plan(root, targets, allow_missing)


def actions(found: Plan) -> dict[str, str]:
    return {step.stage: step.action for step in found.steps}


def executed(root: Path, *options: str) -> set[str]:
    return set(re.findall(r"Running stage '(.*)'", dvc(root, "repro", *options)))


def ran(output: str) -> set[str]:
    return {line.split("]")[0][1:] for line in output.splitlines() if " done in " in line}


def test_it_agrees_with_dvc_before_and_with_the_repro_after(tmp_path: Path) -> None:
    root = project(tmp_path / "project", CODE)
    (root / "params.yaml").write_text("net: {lr: 1.0e-10}\n")
    found = planned(root)
    assert actions(found) == dict.fromkeys(["data", "fit", "score", "other"], RUN)
    assert {step.reasons[0] for step in found.steps} == {"new stage"}
    assert {step.reasons[1:] for step in found.steps} == {(), ("after data",), ("after fit",)}
    assert executed(root) == {"data", "fit", "score", "other"}
    assert planned(root) == Plan((), unchanged=4)

    change(root, "params.yaml", "1.0e-10", "2.0e-10")
    found = planned(root)
    assert actions(found) == {"fit": RUN, "score": MAY_RUN}
    assert [step.reasons for step in found.steps] == [("net.lr 1e-10 → 2e-10",), ("after fit",)]
    assert {step.stage for step in found.steps if step.action == RUN} == executed(root, *DRY)
    assert executed(root) == set(actions(found)), "another param, other bytes"

    (root / "code").write_text("2\n")
    change(root, "dvc.yaml", "wc -c < fit", "wc -m < fit")
    found = planned(root)
    assert actions(found) == {"data": RUN, "fit": MAY_RUN, "score": RUN, "other": MAY_RUN}
    assert found.steps[2].reasons == ("command changed", "after fit")
    certain = {step.stage for step in found.steps if step.action == RUN}
    assert certain == executed(root, *DRY)
    assert certain <= executed(root) <= set(actions(found))


def test_an_output_that_is_gone_is_restored_or_written_again(full: Path) -> None:
    (full / "joined").unlink()
    found = planned(full)
    assert [(step.stage, step.action, step.reasons) for step in found.steps] == [
        ("join", RESTORED, ("output joined missing",))
    ]
    shutil.rmtree(full / ".dvc/cache")
    assert actions(planned(full, allow_missing=False))["join"] == RUN
    assert planned(full) == Plan((), 8, (PARTIAL,))


def test_a_clone_without_data_tells_what_it_would_pull_and_pulls_nothing(full: Path, clone: Path) -> None:
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


def test_code_that_changed_runs_what_reads_it_where_the_data_is_not_here(clone: Path) -> None:
    (clone / "code").write_text("2\n")
    found = {step.stage: (step.action, step.reasons) for step in planned(clone).steps}
    assert found["convert"] == (RUN, ("code changed",))
    assert found["train-a"] == found["train-b"] == (RUN, ("code changed", "after convert"))


def test_seconds_are_those_of_the_last_run_here(full: Path) -> None:
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


def test_a_plan_is_lines_or_a_table(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(clone, "params.yaml", "a: 1", "a: 22")
    monkeypatch.chdir(clone)
    lines = fcn("plan", "evaluate-a", code=0).output.splitlines()
    assert lines[0] == "run      train-a     unknown  294 B to pull  a 1 → 22"
    assert lines[-2] == "1 run, 1 may run, 1 unchanged; nobody knows how long; 294 B to pull"
    table = fcn("plan", "--markdown", "evaluate-a", code=0).output.splitlines()
    assert (table[0][:8], table[2][:12]) == ("| Stage ", "| `train-a` ")
    assert fcn("plan", "--markdown", "train", code=1).output == "Error: no stage train: did you mean 'train-b'?\n"


def test_a_clone_without_data_runs_what_changed_and_its_lock_is_a_full_clones(full: Path, clone: Path) -> None:
    lock = (clone / "dvc.lock").read_bytes()
    code, output = run(clone, "--pull", "--allow-missing", "--jobs", "2")
    assert (code, output) == (0, NOTHING)
    assert (clone / "dvc.lock").read_bytes() == lock
    assert not [path for path in (clone / ".dvc/cache/files").rglob("*") if path.is_file()]

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


def test_a_run_that_the_remote_knows_is_restored(full: Path, clone: Path) -> None:
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


def test_pull_alone_brings_all_and_dvc_repro_finds_nothing_to_do(full: Path, clone: Path) -> None:
    (clone / "published").write_bytes((full / "published").read_bytes())
    code, output = run(clone, "--pull")
    assert (code, output) == (0, NOTHING)
    assert (clone / "runs/b/net").read_bytes() == (full / "runs/b/net").read_bytes()
    assert (clone / "d/val/y").is_file()


def test_what_cannot_be_had_is_named(clone: Path) -> None:
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


def test_a_file_that_git_keeps_and_that_is_missing_makes_its_stage_stale(clone: Path) -> None:
    """So it is where an evaluation was killed: its stage runs again, and nobody else's numbers are brought back."""
    (clone / "eval/b/metrics.json").unlink()
    step = planned(clone).steps[0]
    assert (step.stage, step.action, step.reasons) == ("evaluate-b", RUN, ("output eval/b/metrics.json missing",))
    code, output = run(clone, "--pull", "--allow-missing")
    assert code == 0, output
    assert "[evaluate-b] done" in output
    assert (clone / "eval/b/metrics.json").is_file()
    assert run(clone, "--pull", "--allow-missing") == (0, NOTHING), "what neither of them keeps may be absent"
