"""``publish`` mirrors dvc.lock in MLflow: what a run came from and gave, and one run of each, told once or twice."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from mlflow.exceptions import MlflowException

from pipeline.tracking import publish as publishing
from pipeline.tracking.connect import connect
from tests.closure import ROOT
from tests.launch import git
from tests.stages.world import (
    CHILDREN,
    artifact,
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


def test_a_child_tells_params_scores_curve_and_what_it_came_from(world: Path) -> None:
    publish()
    train, evaluate = run(world, "train@voc-fcn8s"), run(world, "evaluate@voc-fcn8s")
    named = {"recipe": "voc-fcn8s", "dataset": "voc/seg11valid", "backbone": "vgg16", "stride": "8"}
    own = {"recipes.solver.lr": "1e-08", "recipes.net.heads": '["semantic"]', "recipes.net.backbone": "vgg16"}
    own |= {"recipes.data.shards": "voc", "recipes.data.split": "train", "recipes.net.stride": "8"}
    own |= {"runtime.threads": "2"}
    assert train.data.params == {**own, **named, "scale": "miniature"}
    assert evaluate.data.params == train.data.params, "its lr beside its score"
    tags, hashes = train.data.tags, json.loads(artifact(world, train, "lineage.json"))
    assert hashes["cmd"] == tags["mlflow.source.name"] == "python -m stages.train voc-fcn8s"
    assert hashes["deps"]["data/shards/voc"] == "c3.dir"
    assert hashes["outs"]["runs/voc-fcn8s/model.safetensors"] == "b2"
    assert hashes["upstream"] == {"convert@voc": run(world, "convert@voc").data.tags["dvc.inputs"]}, "direct ones alone"
    scored = json.loads(artifact(world, evaluate, "lineage.json"))
    assert scored["upstream"]["train@voc-fcn8s"] == tags["dvc.inputs"]
    for each in runs(world):
        assert len([name for name in each.data.tags if not name.startswith("mlflow.")]) <= 10
        assert "mlflow.source.type" in each.data.tags
    note = tags["mlflow.note.content"]
    assert note.startswith("Train voc-fcn8s on voc/train.\n\nFrom convert@voc.\n\nWeights: `dvc get . runs/voc")
    client, _ = connect(world)
    loss = client.get_metric_history(train.info.run_id, "loss")
    assert [(point.step, point.value) for point in loss] == [(5, 2.5), (10, 1.25)]
    assert evaluate.data.metrics == {
        "pixel_acc/semantic": 0.9,
        "mean_acc/semantic": 0.6,
        "mean_iu/semantic": 0.5,
        "fw_iu/semantic": 0.8,
        "paper_iu/semantic": pytest.approx(0.655),
        "paper_acc/semantic": pytest.approx(0.905),
    }
    assert len({name[:12] for name in evaluate.data.metrics}) == 6, "told apart where a table cuts their names"


def test_splits_that_were_read_are_inputs_by_their_manifests_digest(world: Path) -> None:
    (world / "data/shards/voc/seg11valid/_manifest.json").unlink()
    publish()
    train, evaluate = run(world, "train@voc-fcn8s"), run(world, "evaluate@voc-fcn8s")
    (read,) = train.inputs.dataset_inputs
    digest = json.loads((world / "data/shards/voc/train/_manifest.json").read_text())["digest"]
    assert (read.dataset.name, read.dataset.digest) == ("voc/train", digest[:36])
    assert (read.dataset.source_type, json.loads(read.dataset.source)) == ("local", {"uri": "data/raw/voc"})
    assert {tag.key: tag.value for tag in read.tags} == {"mlflow.data.context": "training"}
    assert not evaluate.inputs.dataset_inputs
    assert evaluate.data.tags["dvc.missing"] == "data/shards/voc/seg11valid/_manifest.json"


def test_panels_and_confusion_hang_on_the_evaluation_and_tables_on_the_parent(world: Path) -> None:
    publish()
    evaluate, (parent,) = run(world, "evaluate@voc-fcn8s"), parents(world)
    files = told(world)[evaluate.info.run_id][1]
    assert {"metrics.json", "limits.json", "confusion/semantic.png"} <= set(files)
    assert {Path(path).suffix for path in files if "panels" in path and "2007_000033" in path} == {".png", ".webp"}
    rows = json.loads(artifact(world, evaluate, "iu/semantic.json"))
    assert rows["columns"] == ["class", "iu", "true pixels", "predicted pixels"]
    assert rows["data"] == [["background", pytest.approx(80 / 95), 90, 85], ["cat", 0.5, 20, 25], ["dog", None, 0, 0]]
    assert {"table.csv", "table.md"} <= set(told(world)[parent.info.run_id][1])
    assert Path(parent.info.artifact_uri.removeprefix("file://")).is_relative_to(world / "mlartifacts")


def test_runs_of_all_recipes_have_the_same_keys(world: Path) -> None:
    """But for numbers that nobody printed."""
    lock(world, locked(world) | trained(world, "voc-fcn8s-mine", 1e-8, "b3"))
    params = yaml.safe_load((world / "params.yaml").read_text())
    params["recipes"]["voc-fcn8s-mine"] = params["recipes"]["voc-fcn8s"]
    (world / "params.yaml").write_text(yaml.safe_dump(params))
    publish()
    for stage in ("train", "evaluate"):
        of = [run(world, f"{stage}@{recipe}").data for recipe in ("voc-fcn32s", "voc-fcn8s", "voc-fcn8s-mine")]
        assert len({frozenset(data.params) for data in of}) == 1
        assert len({frozenset(name for name in data.metrics if "paper" not in name) for data in of}) == 1
        assert {"recipe", "dataset", "backbone", "stride", "scale"} <= of[0].params.keys()
    assert not [name for name in run(world, "evaluate@voc-fcn8s-mine").data.metrics if "paper" in name]


def test_commit_dirt_and_experiment_are_told(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (world / ".gitignore").write_text("/mlflow.db*\n/mlartifacts/\n")
    for command in ("init --quiet", "add .", "commit --quiet --message a"):
        git(world, *command.split())
    retrained(world, 2e-8, "b7")  # what stages write is no dirt
    sha = git(world, "rev-parse", "HEAD")
    monkeypatch.setenv("FCN_USER", "ada")
    assert f"under {sha[:7]}+" in publish()
    (world / "params.yaml").write_text((world / "params.yaml").read_text() + "# tried\n")
    retrained(world, 3e-8, "b8")
    watched = live(world, "evaluate@voc-fcn8s", **{"git.dirty": "true"})
    monkeypatch.setenv("DVC_EXP_NAME", "brave-fox")
    assert "under brave-fox;" in publish()
    clean, dirty = parents(world)
    assert (clean.data.tags["git.commit"], clean.data.tags["git.dirty"]) == (sha, "false")
    assert (clean.data.tags["mlflow.user"], clean.data.tags["mlflow.source.git.commit"]) == ("ada", sha)
    assert (dirty.data.tags["git.dirty"], dirty.data.tags["dvc.exp"]) == ("true", "brave-fox")
    before, after = runs(world, dvc_stage="train@voc-fcn8s")
    assert told(world)[before.info.run_id][1] == ["lineage.json"]
    for each in (dirty, after):
        patch = artifact(world, each, "changes.patch")
        assert "+# tried" in patch
        assert "dvc.lock" not in patch
    assert "changes.patch" not in told(world)[watched.info.run_id][1], "it is not what this tree differs by"


def test_no_lock_and_no_server_are_told_in_one_line(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    done = invoke()
    assert done.exit_code == 1
    assert "MLflow at http://127.0.0.1:9 does not answer" in done.output
    (world / "dvc.lock").unlink()
    done = invoke()
    assert done.exit_code == 1
    assert "dvc.lock: run `dvc repro`" in done.output


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
