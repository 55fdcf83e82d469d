"""fcn plan on real DVC projects: what it says is what DVC says, and what the run after it does."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from ops import _journal as journal
from ops import plan as page
from ops._amount import duration, size

from ops._plan import MAY_RUN, PARTIAL, RESTORED, RUN, Plan, Step, plan
from tests.ops.conftest import dvc
from tests.ops.test_pull import change
from tests.ops.test_run import project

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
    told = CliRunner().invoke(page.main, ["evaluate-a", "--json"])
    found = json.loads(told.output)
    assert [step["stage"] for step in found["steps"]] == ["train-a", "evaluate-a"]
    assert found["steps"][0]["reasons"] == ["a 1 → 22"]
    assert (found["pulls"], found["unchanged"], found["notes"]) == (294, 1, [PARTIAL])
    told = CliRunner().invoke(page.main, ["evaluate-a"])
    assert told.output.splitlines()[0] == "run      train-a     unknown  294 B to pull  a 1 → 22"
    assert told.output.splitlines()[-2] == "1 run, 1 may run, 1 unchanged; nobody knows how long; 294 B to pull"
    told = CliRunner().invoke(page.main, ["--markdown", "train"])
    assert told.exit_code == 1
    assert told.output == "Error: no stage train: did you mean train-b?\n"
    (clone / "params.yaml").write_text("a: [")
    told = CliRunner().invoke(page.main, [])
    assert told.output == "Error: unable to read: 'params.yaml', YAML file structure is corrupted\n"
    monkeypatch.chdir(clone.parent)
    told = CliRunner().invoke(page.main, [])
    assert told.exit_code == 1
    assert "not inside of a DVC repository" in told.output


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
    assert [size(bytes_) for bytes_ in (0, 999, 1000, 4_949_000, 12_400_000, 2.5e12)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "4.9 MB",
        "12 MB",
        "2.5 TB",
    ]
    assert [duration(seconds) for seconds in (0.2, 40, 246, 9000)] == ["1 s", "40 s", "4 min", "2.5 h"]
