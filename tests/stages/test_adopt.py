"""``publish`` gives a stage and its inputs one run in the end, whoever began it, and adopts what is there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.tracking import adopt, log
from pipeline.tracking.connect import connect
from stages.publish import main
from stages.shared import dvc
from tests.stages.publishing import artifact, invoke, live, marks, publish, said
from tests.stages.world import (
    CHILDREN,
    enter,
    lock,
    locked,
    parents,
    retrained,
    run,
    runs,
    told,
    trained,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def world(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter(tmp_path, tables, monkeypatch)


def test_publishing_twice_changes_nothing(world: Path) -> None:
    publish()
    before = told(world)
    assert publish().startswith(said(standing=CHILDREN))
    assert told(world) == before


def test_a_changed_lr_gives_its_descendants_new_runs_and_adopts_all_others(world: Path) -> None:
    publish()
    old = {each.info.run_name: each.info.run_id for each in runs(world)}
    (first,) = parents(world)
    retrained(world, 5e-9, "b9")
    assert publish().startswith(said(new=3, adopted=4))
    _, second = parents(world)
    members = runs(world, mlflow_parentRunId=second.info.run_id)
    new = {each.info.run_name for each in members if each.info.run_id != old[each.info.run_name]}
    assert new == {"train@voc-fcn8s", "evaluate@voc-fcn8s", "report"}
    for each in members:
        assert sorted(marks(each)) == (["made"] if each.info.run_name in new else ["adopted", "made"])
    listed = json.loads(artifact(world, second, "pipeline.json"))
    assert listed["train@voc-fcn32s"]["run"] == old["train@voc-fcn32s"]
    assert {stage for stage, row in listed.items() if row["state"] == "made"} == new
    assert list(listed) == list(dvc.entries(world))
    assert {each.info.run_name for each in runs(world, mlflow_parentRunId=first.info.run_id)} == new, "its own versions"


def test_a_state_that_comes_back_makes_and_moves_nothing(world: Path) -> None:
    publish()
    first = locked(world)
    retrained(world, 5e-9, "b9")
    publish()
    before = told(world)
    lock(world, first)
    assert publish().startswith(said(standing=CHILDREN))
    assert told(world) == before


def test_a_live_run_is_adopted_with_its_curves(world: Path) -> None:
    watched = live(world, "train@voc-fcn8s")
    assert publish().startswith(said(new=CHILDREN - 1, completed=1))
    train = run(world, "train@voc-fcn8s")
    assert train.info.run_id == watched.info.run_id
    assert marks(train) == ["made"]
    assert (train.data.tags["git.commit"], train.data.tags["live.fingerprint"]) == ("c0ffee", "f1")
    assert train.data.tags["mlflow.parentRunId"] == parents(world)[0].info.run_id
    assert {"dvc.inputs", "dvc.outputs", "upstream.convert_voc", "mlflow.note.content"} <= train.data.tags.keys()
    assert {"host", "recipe", "recipes.solver.lr"} <= train.data.params.keys()
    client, _ = connect(world)
    steps = [point.step for point in client.get_metric_history(train.info.run_id, "loss")]
    assert steps == list(range(1, 11)), "as they were watched, each once"
    assert [each.dataset.name for each in train.inputs.dataset_inputs] == ["voc/train"]
    before = told(world)
    assert publish().startswith(said(standing=CHILDREN))
    assert told(world) == before


def test_a_live_evaluation_gets_final_scores_and_files(world: Path) -> None:
    watched = live(world, "evaluate@voc-fcn8s")
    client, _ = connect(world)
    client.log_metric(watched.info.run_id, "semantic/mean_iu", 0.123, step=7)
    publish()
    evaluate = run(world, "evaluate@voc-fcn8s")
    assert evaluate.info.run_id == watched.info.run_id
    assert evaluate.data.metrics["semantic/mean_iu"] == 0.5, "what the file says is what counts in the end"
    assert [file.path for file in client.list_artifacts(evaluate.info.run_id, "iu")] == ["iu/semantic.json"]


def test_of_live_runs_the_newest_that_wrote_these_files_is_adopted(world: Path) -> None:
    older, newer = live(world, "train@voc-fcn8s"), live(world, "train@voc-fcn8s")
    client, _ = connect(world)
    strangers = [
        live(world, "train@voc-fcn8s", **{"dvc.out.runs/voc-fcn8s/model.safetensors": "other"}),
        live(world, "train@voc-fcn8s", status="KILLED"),
    ]
    publish()
    assert "dvc.inputs" in client.get_run(newer.info.run_id).data.tags
    for each in [older, *strangers]:
        assert "dvc.inputs" not in client.get_run(each.info.run_id).data.tags


def test_what_only_dvc_counts_or_another_scale_left_makes_no_new_parent(world: Path) -> None:
    publish()
    entries = locked(world)
    entries["train@voc-fcn8s"]["outs"][0]["size"] = 4
    entries["publish"]["deps"][0]["md5"] = "other"
    entries["download@voc"]["outs"][0]["md5"] = "other"
    lock(world, entries)
    assert publish().startswith(said(standing=CHILDREN))


def test_other_outputs_from_the_same_inputs_are_refused_by_name_before_anything_is_written(world: Path) -> None:
    publish()
    before = told(world)
    lock(world, locked(world) | trained(world, "voc-fcn8s", 1e-8, "b-varied"))
    done = invoke()
    assert done.exit_code == 1
    assert "train@voc-fcn8s is not deterministic" in done.output
    assert "another runs/voc-fcn8s/model.safetensors than run" in done.output
    assert told(world) == before


@pytest.mark.parametrize("place", ["_metrics", "_input", "_attach", "_confusion"])
def test_an_interrupted_publication_is_completed_without_doubles(
    world: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    done = getattr(log, place)

    def unplugged(*args: Any) -> Any:
        if any("evaluate@voc-fcn32s" in str(arg) for arg in args) or place == "_input":
            raise KeyboardInterrupt
        return done(*args)

    with monkeypatch.context() as broken:
        broken.setattr(log, place, unplugged)
        CliRunner().invoke(main, [])
    assert {each.info.status for each in runs(world)} == {"FINISHED", "KILLED"}
    (broke,) = [each for each in runs(world) if each.info.status == "KILLED" and "dvc.stage" in each.data.tags]
    client, _ = connect(world)
    client.update_run(broke.info.run_id, "RUNNING")  # as kill -9 leaves it
    left = len(runs(world)) - 1
    assert publish().startswith(said(new=CHILDREN - left, completed=1, standing=left - 1))
    assert {each.info.status for each in runs(world)} == {"FINISHED"}
    assert len(runs(world)) == CHILDREN + 1
    completed = told(world)[run(world, "evaluate@voc-fcn32s").info.run_id]
    entire = told(world)[run(world, "evaluate@voc-fcn8s").info.run_id]
    assert len(completed[1]) == len(entire[1])
    assert completed[0]["data"]["metrics"].keys() == entire[0]["data"]["metrics"].keys()
    assert completed[0]["data"]["tags"].keys() ^ entire[0]["data"]["tags"].keys() == {
        *(
            name.replace("32s", run)
            for run in ("32s", "8s")
            for name in completed[0]["data"]["tags"]
            if "fcn32s" in name
        ),
    }
    assert publish().startswith(said(standing=CHILDREN))


def test_a_publisher_whom_no_lock_keeps_out_doubles_nothing(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looked before the other made its runs, and creates its own after."""
    publish()
    before = told(world)
    monkeypatch.setattr(adopt, "find", lambda *args: {})
    assert publish().startswith(said(standing=CHILDREN))
    assert told(world) == before


@pytest.mark.slow
def test_two_publishers_at_once_make_each_run_once(world: Path) -> None:
    command = [sys.executable, "-m", "stages.publish"]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    both = [subprocess.Popen(command, cwd=world, env=env, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    lines = sorted(process.communicate()[0] for process in both)
    assert lines[0].startswith(said(standing=CHILDREN))
    assert lines[1].startswith(said(new=CHILDREN))
    assert len(runs(world)) == CHILDREN + 1


def test_files_that_are_not_here_are_made_up_for_once_they_are(world: Path) -> None:
    history = world / "runs/voc-fcn8s/history.tsv"
    text = history.read_text()
    history.write_text("iteration\tloss\n")  # of another run than dvc.lock's
    publish()
    train = run(world, "train@voc-fcn8s")
    assert train.data.tags["dvc.missing"] == "runs/voc-fcn8s/history.tsv"
    assert train.data.metrics == {}
    history.write_text(text)
    assert publish().startswith(said(completed=1, standing=CHILDREN - 1))
    whole = run(world, "train@voc-fcn8s")
    assert (whole.info.run_id, whole.data.metrics) == (train.info.run_id, {"loss": 1.25})
    assert "dvc.missing" not in whole.data.tags
    history.unlink()
    assert publish().startswith(said(standing=CHILDREN)), "what is complete stays"


def test_a_run_without_what_later_code_tells_gets_it_and_keeps_what_a_person_wrote(world: Path) -> None:
    publish()
    client, _ = connect(world)
    train = run(world, "train@voc-fcn8s").info.run_id
    client.set_tag(train, "mlflow.note.content", "my best one")
    client.delete_tag(train, "upstream.convert_voc")
    assert publish().startswith(said(completed=1, standing=CHILDREN - 1))
    tags = client.get_run(train).data.tags
    assert tags["mlflow.note.content"] == "my best one"
    assert "upstream.convert_voc" in tags
