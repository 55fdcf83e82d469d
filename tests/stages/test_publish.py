"""``publish`` mirrors dvc.lock in MLflow and tells what a run came from and what it gave, alike for every recipe."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from pipeline.tracking.connect import connect
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


@pytest.fixture
def world(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter(tmp_path, tables, monkeypatch)


def test_every_entry_of_this_pipeline_becomes_a_finished_child(world: Path) -> None:
    assert publish().startswith(f"{said(new=CHILDREN)}unknown+")
    (parent,), everything = parents(world), runs(world)
    children = [each for each in everything if each.info.run_id != parent.info.run_id]
    recipes = [f"{stage}@voc-fcn{stride}s" for stage in ("train", "evaluate") for stride in (32, 8)]
    assert {each.info.run_name for each in children} == {"miniature@voc", "convert@voc", *recipes, "report"}
    assert {each.data.tags["mlflow.parentRunId"] for each in children} == {parent.info.run_id}
    assert {each.info.status for each in everything} == {"FINISHED"}


def test_a_child_tells_params_scores_curve_and_what_it_came_from(world: Path) -> None:
    publish()
    train, evaluate = run(world, "train@voc-fcn8s"), run(world, "evaluate@voc-fcn8s")
    named = {"recipe": "voc-fcn8s", "dataset": "voc/seg11valid", "backbone": "vgg16", "stride": "8"}
    own = {"recipes.solver.lr": "1e-08", "recipes.net.heads": '["semantic"]', "recipes.net.backbone": "vgg16"}
    own |= {
        "recipes.data.shards": "voc",
        "recipes.data.split": "train",
        "recipes.net.stride": "8",
        "runtime.threads": "2",
    }
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
    def git(*args: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"]
        done = subprocess.run(["git", *identity, *args], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    (world / ".gitignore").write_text("/mlflow.db*\n/mlartifacts/\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "a")
    retrained(world, 2e-8, "b7")  # what stages write is no dirt
    sha = git("rev-parse", "HEAD")
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
