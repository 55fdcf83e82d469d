"""``publish`` mirrors dvc.lock in MLflow once and only once, adopts what is there, and refuses nondeterminism."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from mlflow.entities import Run

from pipeline.tracking import adopt, log
from pipeline.tracking.connect import connect
from stages import _lock
from stages.publish import main
from tests.stages.world import (
    CHILDREN,
    CLASSES,
    HIST,
    empty_store,
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


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return empty_store(tmp_path_factory.mktemp("tables"))


@pytest.fixture
def world(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter(tmp_path, tables, monkeypatch)


def publish() -> str:
    done = invoke()
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def invoke() -> Result:
    done = CliRunner().invoke(main, [])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def said(new: int = 0, completed: int = 0, adopted: int = 0, standing: int = 0) -> str:
    return f"published {new} new runs, {completed} completed, {adopted} adopted, {standing} standing, under "


def artifact(root: Path, of: Run, path: str) -> str:
    client, _ = connect(root)
    return Path(client.download_artifacts(of.info.run_id, path, str(root))).read_text()


def marks(of: Run) -> list[str]:
    return [value for name, value in of.data.tags.items() if name.startswith("pipeline.")]


def live(root: Path, stage: str, status: str = "FINISHED", **changed: str) -> Run:
    """A run as live tracking leaves it when ``stage`` has ended, with ``changed`` tags."""
    client, experiment = connect(root)
    outs = {f"dvc.out.{row['path']}": row["md5"] for row in locked(root)[stage]["outs"] if row["md5"][-4:] != ".dir"}
    tags = {"dvc.stage": stage, "live.fingerprint": "f1", "git.commit": "c0ffee", "git.dirty": "false"}
    made = client.create_run(experiment, tags={**tags, **outs, **changed}, run_name=stage)
    for step in range(1, 11):
        client.log_metric(made.info.run_id, "loss", 12.5 / step, step=step)
    client.log_param(made.info.run_id, "host", "here")
    client.set_terminated(made.info.run_id, status)
    return made


def test_every_entry_of_this_pipeline_becomes_a_finished_child(world: Path) -> None:
    out = publish()
    assert out.startswith(f"{said(new=CHILDREN)}unknown+")
    assert out.endswith("; make ui to look")
    everything = runs(world)
    (parent,) = [each for each in everything if "mlflow.parentRunId" not in each.data.tags]
    children = [each for each in everything if each is not parent]
    assert {each.info.run_name for each in children} == {
        *("miniature@voc", "convert@voc"),
        *("train@voc-fcn32s", "evaluate@voc-fcn32s", "train@voc-fcn8s", "evaluate@voc-fcn8s"),
        "report",
    }
    assert {each.data.tags["mlflow.parentRunId"] for each in children} == {parent.info.run_id}
    assert {each.info.status for each in everything} == {"FINISHED"}


def test_a_child_tells_params_scores_curve_and_what_it_came_from(world: Path) -> None:
    publish()
    train, evaluate = run(world, "train@voc-fcn8s"), run(world, "evaluate@voc-fcn8s")
    named = {"recipe": "voc-fcn8s", "dataset": "voc/seg11valid", "backbone": "vgg16", "stride": "8"}
    own = {"recipes.solver.lr": "1e-08", "recipes.heads": '["semantic"]', "recipes.train": "voc/train"}
    own |= {"recipes.backbone": "vgg16", "recipes.stride": "8", "runtime.threads": "2"}
    assert train.data.params == {**own, **named, "scale": "miniature"}
    assert evaluate.data.params == {**train.data.params, "recipes.evaluate": "voc/seg11valid"}, (
        "its lr beside its score"
    )
    tags = train.data.tags
    assert tags["dvc.key"] == "voc-fcn8s"
    assert tags["dvc.dep.data/shards/voc/train"] == "c3.dir"
    assert tags["dvc.out.runs/voc-fcn8s/model.safetensors"] == "b2"
    assert tags["weights"] == "dvc:b2"
    assert tags["upstream.convert_voc"] == run(world, "convert@voc").data.tags["dvc.inputs"]
    assert evaluate.data.tags["upstream.train_voc-fcn8s"] == tags["dvc.inputs"]
    assert "upstream.miniature_voc" not in tags, "it is no direct one"
    note = tags["mlflow.note.content"]
    for words in (
        "Train voc-fcn8s on voc/train.",
        "From convert@voc.",
        "loss 1.25 at iteration 10",
        "`dvc get . runs/voc",
    ):
        assert words in note
    client, _ = connect(world)
    loss = client.get_metric_history(train.info.run_id, "loss")
    assert [(point.step, point.value) for point in loss] == [(5, 2.5), (10, 1.25)]
    published = {name: value for name, value in evaluate.data.metrics.items() if name.startswith("published/")}
    assert published["published/semantic/mean_iu"] == pytest.approx(0.655126)
    assert evaluate.data.tags["published/semantic"].startswith("released weights")
    assert {name: value for name, value in evaluate.data.metrics.items() if name not in published} == {
        "semantic/pixel_acc": 0.9,
        "semantic/mean_acc": 0.6,
        "semantic/mean_iu": 0.5,
        "semantic/fw_iu": 0.8,
        "semantic/iu/cat": 0.5,
        "images": 2,
    }
    assert evaluate.data.tags["scale"] == "miniature"


def test_splits_that_were_read_are_inputs_by_their_manifests_digest(world: Path) -> None:
    entries = locked(world)
    url = "https://example.org/VOC.tar"
    entries["download@voc"]["outs"] = entries.pop("miniature@voc")["outs"]
    entries["download@voc"]["params"] = {"params.yaml": {"downloads.voc.files": [{"name": "VOC.tar", "urls": [url]}]}}
    (world / "params.yaml").write_text(
        (world / "params.yaml").read_text().replace("downloads: {}", "downloads: {voc: {}}")
    )
    lock(world, entries)
    (world / "data/shards/voc/seg11valid/manifest.json").unlink()
    publish()
    train, evaluate = run(world, "train@voc-fcn8s"), run(world, "evaluate@voc-fcn8s")
    (read,) = train.inputs.dataset_inputs
    digest = json.loads((world / "data/shards/voc/train/manifest.json").read_text())["digest"]
    assert (read.dataset.name, read.dataset.digest) == ("voc/train", digest[:36])
    assert json.loads(read.dataset.profile) == {"digest": digest, "rows": 2}
    assert (read.dataset.source_type, json.loads(read.dataset.source)) == ("http", {"url": url})
    assert {tag.key: tag.value for tag in read.tags} == {"mlflow.data.context": "training"}
    assert not evaluate.inputs.dataset_inputs
    assert evaluate.data.tags["dvc.missing"] == "data/shards/voc/seg11valid/manifest.json"


def test_panels_and_confusion_hang_on_the_evaluation_and_tables_on_the_parent(world: Path) -> None:
    publish()
    client, _ = connect(world)
    evaluate = run(world, "evaluate@voc-fcn8s")
    images = [file.path for file in client.list_artifacts(evaluate.info.run_id, "images")]
    assert {Path(path).suffix for path in images if "panels" in path and "2007_000033" in path} == {".png", ".webp"}
    assert json.loads(artifact(world, evaluate, "confusion/semantic.json")) == {
        "classes": list(CLASSES),
        "counts": HIST,
    }
    rows = json.loads(artifact(world, evaluate, "iu/semantic.json"))
    assert rows["columns"] == ["class", "iu", "true pixels", "predicted pixels"]
    assert rows["data"] == [["background", pytest.approx(80 / 95), 90, 85], ["cat", 0.5, 20, 25], ["dog", None, 0, 0]]
    (parent,) = parents(world)
    assert {"table.csv", "table.md"} <= {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert parent.data.metrics["voc-fcn32s/semantic/mean_iu"] == 0.5
    assert not [name for name in parent.data.metrics if "/iu/" in name or "published" in name]
    assert Path(parent.info.artifact_uri.removeprefix("file://")).is_relative_to(world / "mlartifacts")


def test_runs_of_all_recipes_have_the_same_keys(world: Path) -> None:
    """But for numbers that nobody printed."""
    lock(world, locked(world) | trained(world, "voc-fcn8s-mine", 1e-8, "b3"))
    text = (world / "params.yaml").read_text()
    (world / "params.yaml").write_text(text.replace("voc-fcn8s: {}", "voc-fcn8s: {}\n  voc-fcn8s-mine: {}"))
    publish()
    for stage in ("train", "evaluate"):
        of = [run(world, f"{stage}@{recipe}").data for recipe in ("voc-fcn32s", "voc-fcn8s", "voc-fcn8s-mine")]
        assert len({frozenset(data.params) for data in of}) == 1
        assert len({frozenset(name for name in data.metrics if "published" not in name) for data in of}) == 1
        assert {"recipe", "dataset", "backbone", "stride", "scale"} <= of[0].params.keys()
    assert not [name for name in run(world, "evaluate@voc-fcn8s-mine").data.metrics if "published" in name]


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
    assert list(listed) == list(_lock.entries(world))
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
    assert f"under {sha[:7]}+" in publish()
    (world / "params.yaml").write_text((world / "params.yaml").read_text() + "# tried\n")
    retrained(world, 3e-8, "b8")
    watched = live(world, "evaluate@voc-fcn8s", **{"git.dirty": "true"})
    monkeypatch.setenv("DVC_EXP_NAME", "brave-fox")
    assert "under brave-fox;" in publish()
    clean, dirty = parents(world)
    assert (clean.data.tags["git.commit"], clean.data.tags["git.dirty"]) == (sha, "false")
    assert (dirty.data.tags["git.dirty"], dirty.data.tags["dvc.exp"]) == ("true", "brave-fox")
    before, after = runs(world, dvc_stage="train@voc-fcn8s")
    client, _ = connect(world)
    assert not [file.path for file in client.list_artifacts(before.info.run_id)]
    for each in (dirty, after):
        patch = artifact(world, each, "changes.patch")
        assert "+# tried" in patch
        assert "dvc.lock" not in patch
    listed = [file.path for file in client.list_artifacts(watched.info.run_id)]
    assert "changes.patch" not in listed, "it is not what this tree differs by"


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
