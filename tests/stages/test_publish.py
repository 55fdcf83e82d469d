"""``publish`` mirrors dvc.lock in MLflow once and only once, tells reuse, and refuses nondeterminism."""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result
from mlflow import MlflowClient
from mlflow.entities import Run
from PIL import Image

from pipeline.tracking import store
from pipeline.tracking.connect import connect
from stages import _lock
from stages.publish import main

DVC = """
stages:
  miniature: {foreach: "${miniatures}", do: {cmd: "python -m stages.miniature ${key}"}}
  download: {foreach: "${downloads}", do: {cmd: "python -m stages.download ${key}"}}
  train: {foreach: "${recipes}", do: {cmd: "python -m stages.train ${key}"}}
  evaluate: {foreach: "${recipes}", do: {cmd: "python -m stages.evaluate ${key}"}}
  report: {cmd: python -m stages.report}
  publish: {cmd: python -m stages.publish}
"""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store: creating its tables takes seconds, copying it none."""
    path = tmp_path_factory.mktemp("tables") / "mlflow.db"
    with warnings.catch_warnings(action="ignore"):
        MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def world(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository in which dvc has run a miniature of two recipes, and once another scale."""
    shutil.copy(tables, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    (tmp_path / "dvc.yaml").write_text(DVC)
    params = {"miniatures": {"voc": {"seed": 7}}, "downloads": {}, "recipes": {"voc-fcn32s": {}, "voc-fcn8s": {}}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    entries = {
        "download@voc": entry("python -m stages.download voc", outs={"data/raw/voc": "from-another-scale"}),
        "miniature@voc": entry(
            "python -m stages.miniature voc", outs={"data/raw/voc": "a1.dir"}, params={"miniatures.voc.seed": 7}
        ),
        "publish": entry("python -m stages.publish", deps={"results": "e5.dir"}),
    }
    for recipe, lr in {"voc-fcn32s": 1e-7, "voc-fcn8s": 1e-8}.items():
        entries |= trained(tmp_path, recipe, lr, "b2")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/table.md").write_text("# ours\n")
    (tmp_path / "results/table.csv").write_text("recipe\n")
    entries["report"] = entry("python -m stages.report", deps={"eval": "d4.dir"}, outs={"results": "e5.dir"})
    lock(tmp_path, entries)
    return tmp_path


def entry(cmd: str, deps: Any = None, outs: Any = None, params: Any = None) -> dict[str, Any]:
    """A dvc.lock entry; sizes are there as DVC writes them."""
    row: dict[str, Any] = {"cmd": cmd}
    for name, paths in {"deps": deps or {}, "outs": outs or {}}.items():
        row[name] = [{"path": path, "hash": "md5", "md5": md5, "size": 3} for path, md5 in paths.items()]
    return row | ({"params": {"params.yaml": params}} if params else {})


def trained(root: Path, recipe: str, lr: float, model: str) -> dict[str, Any]:
    """The entries of a recipe's train and evaluate, with their files on disk."""
    runs, scores = root / "runs" / recipe, root / "eval" / recipe
    runs.mkdir(parents=True, exist_ok=True)
    (scores / "panels").mkdir(parents=True, exist_ok=True)
    (runs / "history.tsv").write_text("iteration\tloss\n5\t2.5\n10\t1.25\n")
    head = {"pixel_acc": 0.9, "mean_acc": 0.6, "mean_iu": 0.5, "fw_iu": 0.8, "iu": {"cat": 0.5, "dog": None}}
    metrics = {"semantic": {**head, "absent": ["dog"]}, "images": 2, "ids_sha256": "abc", "scale": "miniature"}
    (scores / "metrics.json").write_text(json.dumps(metrics))
    pixels = np.random.default_rng(0).integers(0, 256, (20, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(scores / "panels/00-2007_000033.png")
    return {
        f"train@{recipe}": entry(
            f"python -m stages.train {recipe}",
            deps={"data/shards/sbd/train": "c3.dir", "pipeline/fcn/net.py": "n1"},
            outs={f"runs/{recipe}/model.safetensors": model, f"runs/{recipe}/history.tsv": "h1"},
            params={f"recipes.{recipe}.solver.lr": lr, f"recipes.{recipe}.heads": ["semantic"], "runtime.threads": 2},
        ),
        f"evaluate@{recipe}": entry(
            f"python -m stages.evaluate {recipe}",
            deps={f"runs/{recipe}/model.safetensors": model, "pipeline/evaluation/scores.py": "s1"},
            outs={f"eval/{recipe}/metrics.json": f"m-{model}", f"eval/{recipe}/panels": "p1.dir"},
            params={f"recipes.{recipe}.evaluate": "voc/seg11valid", "scale": "miniature"},
        ),
    }


def lock(root: Path, entries: dict[str, Any]) -> None:
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": entries}))


def locked(root: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((root / "dvc.lock").read_text())["stages"])


def publish() -> str:
    done = invoke()
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def invoke() -> Result:
    done = CliRunner().invoke(main, [])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def runs(root: Path, **tags: str) -> list[Run]:
    client, experiment = connect(root)
    wanted = " and ".join(f"tags.`{name.replace('_', '.')}` = '{value}'" for name, value in tags.items())
    return list(client.search_runs([experiment], wanted, order_by=["attributes.start_time"]))


def run(root: Path, stage: str) -> Run:
    (only,) = runs(root, dvc_stage=stage)
    return only


def test_every_entry_of_this_pipeline_becomes_a_finished_child(world: Path) -> None:
    said = publish()
    assert said.startswith("published 6 new runs, 0 standing, under unknown+")
    assert said.endswith("; make ui to look")
    everything = runs(world)
    (parent,) = [each for each in everything if "mlflow.parentRunId" not in each.data.tags]
    children = [each for each in everything if each is not parent]
    assert {each.info.run_name for each in children} == {
        "miniature@voc",
        *("train@voc-fcn32s", "evaluate@voc-fcn32s", "train@voc-fcn8s", "evaluate@voc-fcn8s"),
        "report",
    }
    assert {each.data.tags["mlflow.parentRunId"] for each in children} == {parent.info.run_id}
    assert {each.info.status for each in everything} == {"FINISHED"}


def test_a_child_tells_params_scores_curve_and_what_it_came_from(world: Path) -> None:
    publish()
    train, evaluate = run(world, "train@voc-fcn8s"), run(world, "evaluate@voc-fcn8s")
    assert train.data.params == {"recipes.solver.lr": "1e-08", "recipes.heads": '["semantic"]', "runtime.threads": "2"}
    assert train.data.tags["dvc.key"] == "voc-fcn8s"
    assert train.data.tags["dvc.dep.data/shards/sbd/train"] == "c3.dir"
    assert train.data.tags["dvc.out.runs/voc-fcn8s/model.safetensors"] == "b2"
    client, _ = connect(world)
    loss = client.get_metric_history(train.info.run_id, "loss")
    assert [(point.step, point.value) for point in loss] == [(5, 2.5), (10, 1.25)]
    assert evaluate.data.metrics == {
        "semantic/pixel_acc": 0.9,
        "semantic/mean_acc": 0.6,
        "semantic/mean_iu": 0.5,
        "semantic/fw_iu": 0.8,
        "semantic/iu/cat": 0.5,
        "images": 2,
    }
    assert evaluate.data.params["recipes.evaluate"] == "voc/seg11valid"
    assert evaluate.data.params["recipes.solver.lr"] == "1e-08", "its score stands beside its solver's lr"
    assert evaluate.data.tags["scale"] == "miniature"


def test_panels_hang_on_the_evaluation_and_tables_on_the_parent(world: Path) -> None:
    publish()
    client, _ = connect(world)
    images = [file.path for file in client.list_artifacts(run(world, "evaluate@voc-fcn8s").info.run_id, "images")]
    assert {Path(path).suffix for path in images if "panels" in path and "2007_000033" in path} == {".png", ".webp"}
    (parent,) = [each for each in runs(world) if "dvc.lock" in each.data.tags]
    assert {"table.csv", "table.md"} <= {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert parent.data.metrics["voc-fcn32s/semantic/mean_iu"] == 0.5
    assert not [name for name in parent.data.metrics if "/iu/" in name]
    assert Path(parent.info.artifact_uri.removeprefix("file://")).is_relative_to(world / "mlartifacts")


def test_publishing_twice_adds_nothing(world: Path) -> None:
    publish()
    before = {each.info.run_id: each.to_dictionary() for each in runs(world)}
    assert publish().startswith("published 0 new runs, 6 standing")
    assert {each.info.run_id: each.to_dictionary() for each in runs(world)} == before


def test_a_changed_lr_makes_a_new_parent_and_marks_what_was_reused(world: Path) -> None:
    publish()
    lock(world, locked(world) | trained(world, "voc-fcn8s", 5e-9, "b9"))
    assert publish().startswith("published 6 new runs, 0 standing")
    assert len([each for each in runs(world) if "dvc.lock" in each.data.tags]) == 2
    reused = {each.info.run_name for each in runs(world, dvc_reused="true")}
    assert reused == {"miniature@voc", "train@voc-fcn32s", "evaluate@voc-fcn32s", "report"}


def test_what_only_dvc_counts_or_another_scale_left_makes_no_new_parent(world: Path) -> None:
    publish()
    entries = locked(world)
    entries["train@voc-fcn8s"]["outs"][0]["size"] = 4
    entries["publish"]["deps"][0]["md5"] = "other"
    entries["download@voc"]["outs"][0]["md5"] = "other"
    lock(world, entries)
    assert publish().startswith("published 0 new runs, 6 standing")


def test_other_outputs_from_the_same_inputs_are_refused_by_name_before_anything_is_written(world: Path) -> None:
    publish()
    before = len(runs(world))
    lock(world, locked(world) | trained(world, "voc-fcn8s", 1e-8, "b-varied"))
    done = invoke()
    assert done.exit_code == 1
    assert "train@voc-fcn8s is not deterministic" in done.output
    assert "another runs/voc-fcn8s/model.safetensors than run" in done.output
    assert len(runs(world)) == before


def test_an_interrupted_publication_is_completed_without_doubles(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill = store._fill

    def unplugged(client: MlflowClient, each: Run, record: Any) -> None:
        fill(client, each, record)
        if record.stage == "evaluate@voc-fcn32s":
            raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(store, "_fill", unplugged)
        CliRunner().invoke(main, [])
    assert {each.info.status for each in runs(world)} == {"FINISHED", "KILLED"}
    assert publish().startswith("published 3 new runs, 3 standing")
    assert {each.info.status for each in runs(world)} == {"FINISHED"}
    assert len(runs(world, dvc_stage="evaluate@voc-fcn32s")) == 1
    assert publish().startswith("published 0 new runs, 6 standing")


def test_files_that_are_not_here_are_made_up_for_once_they_are(world: Path) -> None:
    history = world / "runs/voc-fcn8s/history.tsv"
    text = history.read_text()
    history.unlink()
    publish()
    train = run(world, "train@voc-fcn8s")
    assert train.data.tags["dvc.missing"] == "runs/voc-fcn8s/history.tsv"
    assert train.data.metrics == {}
    history.write_text(text)
    assert publish().startswith("published 1 new runs, 5 standing")
    assert run(world, "train@voc-fcn8s").data.metrics == {"loss": 1.25}
    history.unlink()
    assert publish().startswith("published 0 new runs, 6 standing"), "what is complete stays"


def test_commit_dirt_and_experiment_are_told(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*args: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"]
        done = subprocess.run(["git", *identity, *args], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    (world / ".gitignore").write_text("/mlflow.db*\n/mlartifacts/\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "a")
    lock(world, locked(world) | trained(world, "voc-fcn8s", 2e-8, "b7"))  # what stages write is no dirt
    sha = git("rev-parse", "HEAD")
    assert f"under {sha[:7]}+" in publish()
    (world / "params.yaml").write_text((world / "params.yaml").read_text() + "# tried\n")
    lock(world, locked(world) | trained(world, "voc-fcn8s", 3e-8, "b8"))
    monkeypatch.setenv("DVC_EXP_NAME", "brave-fox")
    assert "under brave-fox;" in publish()
    clean, dirty = (each for each in runs(world) if "dvc.lock" in each.data.tags)
    assert (clean.data.tags["git.commit"], clean.data.tags["git.dirty"]) == (sha, "false")
    assert (dirty.data.tags["git.dirty"], dirty.data.tags["dvc.exp"]) == ("true", "brave-fox")
    client, _ = connect(world)
    patch = Path(client.download_artifacts(dirty.info.run_id, "changes.patch", str(world))).read_text()
    assert "+# tried" in patch
    assert "dvc.lock" not in patch


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


def test_stages_of_a_foreach_over_an_empty_or_nested_map(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("downloads: {}\nnested: {rows: {b: 1, a: 2}}\n")
    (tmp_path / "dvc.yaml").write_text(
        'stages: {one: {foreach: "${downloads}"}, two: {foreach: "${nested.rows}"}, three: {foreach: [x, y]}, four: {}}'
    )
    assert list(_lock.stages(tmp_path)) == ["two@b", "two@a", "three@x", "three@y", "four"]
