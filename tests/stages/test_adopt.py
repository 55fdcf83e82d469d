"""``publish`` gives a stage and its inputs one run in the end, whoever began it, and adopts what is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from pipeline.tracking import publish as publishing
from pipeline.tracking.connect import connect
from tests.closure import ROOT
from tests.stages.world import (
    CHILDREN,
    enter,
    invoke,
    live,
    lock,
    locked,
    parents,
    publish,
    retrained,
    run,
    runs,
    said,
    told,
    trained,
)
from tests.tracking.servers import unplug

REQUESTS = (
    *((name, MlflowException) for name in ("create_run", "log_batch", "log_image", "log_artifact", "log_table")),
    *((name, KeyboardInterrupt) for name in ("log_batch", "log_inputs", "log_figure")),
)


@pytest.fixture
def world(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter(tmp_path, tables, monkeypatch)


def test_publishing_twice_changes_nothing_nor_does_what_only_dvc_counts(world: Path) -> None:
    publish()
    before = told(world)
    entries = locked(world)
    entries["train@voc-fcn8s"]["outs"][0]["size"] = 4
    entries["publish"]["deps"][0]["md5"] = "other"
    entries["download@voc"]["outs"][0]["md5"] = "of another scale"
    for each in (locked(world), entries):
        lock(world, each)
        assert publish().startswith(said(unchanged=CHILDREN))
        assert told(world) == before


def test_a_changed_lr_gives_its_descendants_new_runs_adopts_all_others_and_going_back_moves_nothing(
    world: Path,
) -> None:
    publish()
    first, old = locked(world), {each.info.run_name: each.info.run_id for each in runs(world)}
    retrained(world, 5e-9, "b9")
    assert publish().startswith(said(new=3, adopted=4))
    parent, second = parents(world)
    members = runs(world, mlflow_parentRunId=second.info.run_id)
    new = {each.info.run_name for each in members if each.info.run_id != old[each.info.run_name]}
    assert new == {"train@voc-fcn8s", "evaluate@voc-fcn8s", "report"}
    for each in members:
        marks = [top.data.tags["dvc.lock"][:8] for top in (parent, second)]
        assert each.data.tags["pipelines"].split() == marks[each.info.run_name in new :], "the first made it"
    assert {each.info.run_name for each in runs(world, mlflow_parentRunId=parent.info.run_id)} == new, (
        "its own versions"
    )
    before = told(world)
    lock(world, first)
    assert publish().startswith(said(unchanged=CHILDREN))
    assert told(world) == before


def test_a_live_run_is_taken_with_its_curves_and_gets_what_its_files_say(world: Path) -> None:
    watched, scored = live(world, "train@voc-fcn8s", superseded="other"), live(world, "evaluate@voc-fcn8s")
    client, _ = connect(world)
    client.log_metric(scored.info.run_id, "mean_iu/semantic", 0.123, step=7)
    assert publish().startswith(said(new=CHILDREN - 2, completed=2))
    train, evaluate = run(world, "train@voc-fcn8s"), run(world, "evaluate@voc-fcn8s")
    assert (train.info.run_id, evaluate.info.run_id) == (watched.info.run_id, scored.info.run_id)
    assert train.data.tags["pipelines"] == parents(world)[0].data.tags["dvc.lock"][:8]
    assert "superseded" not in train.data.tags
    assert (train.data.tags["git.commit"], train.data.tags["live.fingerprint"]) == ("c0ffee", "f1")
    assert train.data.tags["mlflow.parentRunId"] == parents(world)[0].info.run_id
    assert {"dvc.inputs", "dvc.outputs", "mlflow.note.content"} <= train.data.tags.keys()
    assert "lineage.json" in told(world)[train.info.run_id][1]
    assert {"host", "recipe", "recipes.solver.lr"} <= train.data.params.keys()
    steps = [point.step for point in client.get_metric_history(train.info.run_id, "loss")]
    assert steps == list(range(1, 11)), "as they were watched, each once"
    assert [each.dataset.name for each in train.inputs.dataset_inputs] == ["voc/train"]
    assert evaluate.data.metrics["mean_iu/semantic"] == 0.5, "what the file says is what counts in the end"
    before = told(world)
    assert publish().startswith(said(unchanged=CHILDREN))
    assert told(world) == before


def test_of_live_runs_the_newest_finished_one_that_wrote_these_files_is_taken(world: Path) -> None:
    older, newer = live(world, "train@voc-fcn8s"), live(world, "train@voc-fcn8s")
    client, _ = connect(world)
    others = [
        live(world, "train@voc-fcn8s", **{"dvc.outputs": "other"}),
        live(world, "train@voc-fcn8s", status="KILLED"),
    ]
    publish()
    assert "dvc.inputs" in client.get_run(newer.info.run_id).data.tags
    for each in [older, *others]:
        assert "dvc.inputs" not in client.get_run(each.info.run_id).data.tags


def test_other_outputs_from_the_same_inputs_are_refused_by_name_before_anything_is_written(world: Path) -> None:
    publish()
    before = told(world)
    lock(world, locked(world) | trained(world, "voc-fcn8s", 1e-8, "b-varied"))
    done = invoke()
    assert done.exit_code == 1
    assert "train@voc-fcn8s is not deterministic" in done.output
    assert f"wrote other files than lineage.json of run {run(world, 'train@voc-fcn8s').info.run_id}" in done.output
    assert told(world) == before


@pytest.mark.parametrize(("request_", "error"), REQUESTS)
def test_a_publication_that_breaks_off_is_one_line_and_is_completed_without_doubles(
    world: Path, monkeypatch: pytest.MonkeyPatch, request_: str, error: type[BaseException]
) -> None:
    """Ctrl-C, or a server that dies."""
    with monkeypatch.context() as patch:
        unplug(patch, [request_], at=2, error=error)
        done = invoke()
    assert done.exit_code == 1
    if error is MlflowException:
        assert done.output.splitlines()[-1].endswith("failed (unplugged): run it again, it goes on from there")
    publish()
    assert {each.info.status for each in runs(world)} == {"FINISHED"}
    assert len(runs(world)) == CHILDREN + 1
    one, other = (told(world)[run(world, f"evaluate@voc-fcn{stride}s").info.run_id] for stride in (32, 8))
    assert len(one[1]) == len(other[1]), "as many files"
    assert one[0]["data"]["metrics"].keys() == other[0]["data"]["metrics"].keys()
    assert {name.replace("32s", "8s") for name in one[0]["data"]["tags"]} == other[0]["data"]["tags"].keys()
    client, _ = connect(world)
    points = client.get_metric_history(run(world, "train@voc-fcn32s").info.run_id, "loss")
    assert [point.step for point in points] == [5, 10]
    assert publish().startswith(said(unchanged=CHILDREN))


def test_a_publisher_on_another_machine_doubles_nothing(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looked before the other made its runs, and creates its own after."""
    publish()
    before = told(world)
    monkeypatch.setattr(publishing.runs, "find", lambda *args: {})
    assert publish().startswith(said(unchanged=CHILDREN))
    assert told(world) == before


@pytest.mark.slow
def test_two_publishers_at_once_make_each_run_once(world: Path) -> None:
    command = [sys.executable, "-m", "stages.publish"]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    both = [subprocess.Popen(command, cwd=world, env=env, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    lines = sorted(process.communicate()[0] for process in both)
    assert lines[0].startswith(said(unchanged=CHILDREN))
    assert lines[1].startswith(said(new=CHILDREN))
    assert len(runs(world)) == CHILDREN + 1


def test_files_that_are_not_here_are_added_once_they_are_and_a_note_of_a_person_stays(world: Path) -> None:
    history = world / "eval/voc-fcn8s/history.tsv"
    text = history.read_text()
    history.write_text("iteration\tloss\n")  # of another run than dvc.lock's
    publish()
    train = run(world, "train@voc-fcn8s")
    assert (train.data.tags["dvc.missing"], train.data.metrics) == ("eval/voc-fcn8s/history.tsv", {})
    client, _ = connect(world)
    client.set_tag(train.info.run_id, "mlflow.note.content", "my best one")
    history.write_text(text)
    assert publish().startswith(said(completed=1, unchanged=CHILDREN - 1))
    after = run(world, "train@voc-fcn8s")
    assert (after.info.run_id, after.data.metrics) == (train.info.run_id, {"loss": 1.25})
    assert (after.data.tags["dvc.missing"], after.data.tags["mlflow.note.content"]) == ("nothing", "my best one")
    history.unlink()
    assert publish().startswith(said(unchanged=CHILDREN)), "what is complete stays"


def test_a_picture_that_is_none_is_told_and_the_rest_is_published(
    world: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = world / "eval/voc-fcn8s/panels"
    (folder / f"01-{'long ' * 38}.png").write_bytes((folder / "00-2007_000033.png").read_bytes())
    (folder / "02-cut.png").write_bytes((folder / "00-2007_000033.png").read_bytes()[:900])
    assert publish().startswith(said(new=CHILDREN))
    assert "02-cut.png cannot be shown in MLflow" in caplog.text
    files = told(world)[run(world, "evaluate@voc-fcn8s").info.run_id][1]
    assert len([name for name in files if name.startswith("images/") and name.endswith(".png")]) == 2
    assert publish().startswith(said(unchanged=CHILDREN))
