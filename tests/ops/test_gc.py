"""fcn gc on a real DVC project and a real MLflow store: what nobody needs goes, and nothing else."""

import json
import os
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo
from mlflow import MlflowClient

from pipeline.lock_file import locked
from pipeline.registry import champion
from pipeline.tracking.connect import connect
from pipeline.tracking.spool import EVENTS
from stages.shared import dvc
from tests.launch import fcn, git
from tests.registry import registered
from tests.registry.registered import aliases, promote, whole

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # of DVC's own use of pygtrie

TRAIN = {
    "foreach": "${recipes}",
    "do": {
        "cmd": "mkdir -p runs/${key}/more; cp code runs/${key}/more; grep -A1 ${key} params.yaml > runs/${key}/model",
        "deps": ["code"],
        "params": ["recipes.${key}.lr"],
        "outs": ["runs/${key}/model", "runs/${key}/more"],
    },
}
EVALUATE = {
    "cmd": "mkdir -p eval && md5sum runs/a/model > eval/metrics.json && cp runs/a/model eval/panel",
    "deps": ["runs/a/model"],
    "outs": ["eval/panel"],
    "metrics": [{"eval/metrics.json": {"cache": False}}],
}


def repro(lr: int) -> None:
    Path("params.yaml").write_text(yaml.safe_dump({"recipes": {"a": {"lr": lr}}}))
    with Repo(".") as repo:
        repo.reproduce()


def objects() -> set[str]:
    return {path.parent.name + path.name for path in Path(".dvc/cache/files/md5").glob("*/*")}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """main has lr 1, the branch side lr 2, the tag t lr 3; nothing has lr 4, which ran, too."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    for name in ("MLFLOW_TRACKING_URI", "FCN_SNAPSHOTS", "FCN_SPOOL"):
        monkeypatch.delenv(name, raising=False)
    git(root, "init", "-qb", "main")
    Repo.init(".").close()
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"train": TRAIN, "evaluate": EVALUATE}}))
    Path("code").write_text("1")
    Path(".gitignore").write_text("/runs/\n/eval/panel\n/mlflow.db*\n/mlartifacts/\n/.*/\n")
    for lr, keep in ((1, ["branch", "-M", "main"]), (2, ["branch", "side"]), (3, ["tag", "t"])):
        repro(lr)
        git(root, "add", "-A")
        git(root, "commit", "-qm", f"lr {lr}")
        git(root, *keep)
    git(root, "reset", "-q", "--hard", "main~2")
    return root


gc = partial(fcn, "gc", code=0)


def test_of_the_cache_goes_what_no_lock_anywhere_names(project: Path) -> None:
    kept = objects()
    repro(4)
    lost = objects() - kept
    assert len(lost) == 2, "the model, and eval/metrics.json; the folder more is as ever"
    assert "cache: 0 objects, 0 B" in gc().stdout, "the work tree names it"
    git(project, "checkout", "-q", ".")
    size = sum(Path(".dvc/cache/files/md5", md5[:2], md5[2:]).stat().st_size for md5 in lost)
    for flags in ([], ["--dry-run"], ["--dry"]):
        done = gc(*flags)
        assert done.stdout == f"cache: 2 objects, {size} B\nnothing was removed: fcn gc --yes does\n"
        assert objects() == kept | lost
    assert gc("--yes").stdout == f"cache: 2 objects, {size} B\n"
    assert objects() == kept

    for revision, lr in (("side", 2), ("t", 3), ("main", 1)):
        git(project, "checkout", "-q", revision)
        with Repo(".") as repo:
            repo.checkout(force=True)
        assert f"lr: {lr}" in Path("runs/a/model").read_text()
    Path("params.yaml").write_text("recipes: {}\n")
    git(project, "branch", "-qD", "side")
    git(project, "tag", "-d", "t")
    assert "cache: 4 objects" in gc("-f").stdout
    entries = yaml.safe_load(Path("dvc.lock").read_text())["stages"].values()
    assert {out["md5"] for entry in entries for out in entry["outs"]} < objects(), "also of another scale"


def test_while_a_stage_runs_and_where_others_share_it_the_cache_is_left_alone(project: Path, tmp_path: Path) -> None:
    repro(4)
    git(project, "checkout", "-q", ".")
    before = objects()
    busy = json.dumps({"write": {"x": {"pid": os.getpid(), "cmd": "dvc repro"}}, "read": {}})
    for lock in (Path(".dvc/tmp/rwlock"), Path(".dvc/tmp/exps/x/.dvc/tmp/rwlock")):
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.write_text(busy)
        assert gc("--yes").stderr == f"cache left alone: stages run (process {os.getpid()})\n"
        lock.unlink()
    shutil.move(".dvc/cache", tmp_path / "shared")
    Path(".dvc/config.local").write_text(f"[cache]\n    dir = {tmp_path}/shared\n")
    assert "others may use it" in gc("--yes").stderr
    shutil.move(tmp_path / "shared", ".dvc/cache")
    assert objects() == before


def test_snapshots_and_spools_of_a_finished_stage_go_and_no_others(project: Path) -> None:
    recipes = {"a": {"lr": 1}, "b": {"lr": 1}, "c": {"lr": 1}}
    Path("params.yaml").write_text(yaml.safe_dump({"recipes": recipes}))
    with Repo(".") as repo:
        repo.reproduce()
    Path("params.yaml").write_text(yaml.safe_dump({"recipes": recipes | {"b": {"lr": 2}}}))
    names = ("train@a/1", "train@b/2", "train@c/3", "train@z/4")  # finished, changed, written, of no such stage
    folders = [Path(place, name) for name in names for place in (".snapshots", ".spool")]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "file").write_text("{}\n")
    with locked(Path(".spool/train@c/3", EVENTS), wait=False):
        assert gc().stdout.splitlines()[1:3] == [f"{project / folder}: 3 B" for folder in folders[:2]]
        assert all(folder.exists() for folder in folders)
        gc("--yes")
    assert [folder for folder in folders if folder.exists()] == folders[2:]


def run(client: MlflowClient, experiment: str, outs: Mapping[str, str] | None = None, **tags: str) -> str:
    """A run that somebody deleted in the UI."""
    made = client.create_run(experiment, tags={name.replace("__", ".", 1): value for name, value in tags.items()})
    client.log_text(made.info.run_id, "x" * 1000, "note.txt")
    if outs:
        client.log_dict(made.info.run_id, {"outs": dict(outs)}, "lineage.json")
    client.delete_run(made.info.run_id)
    return str(made.info.run_id)


def test_of_mlflow_deleted_runs_go_but_not_what_a_version_or_a_lock_came_from(project: Path, tables: Path) -> None:
    shutil.copy(tables, "mlflow.db")
    client, experiment = connect(project)
    upstream = run(client, experiment, dvc__stage="convert@voc", dvc__inputs="c1")
    former, now = registered.run(client, experiment), registered.run(client, experiment)
    client.log_dict(former, {"upstream": {"convert@voc": "c1"}}, "lineage.json")
    promote(client, former, "first")
    promote(client, now, "second")
    client.delete_run(former)
    entries = dvc.entries(project)
    git(project, "checkout", "-q", "side")
    elsewhere = dvc.entries(project)["train@a"].outs
    git(project, "checkout", "-q", "main")
    published = dvc.pipeline(entries.values())[:8]
    active = client.create_run(experiment).info.run_id
    kept = {
        *(upstream, former, now, active),
        run(client, experiment, pipelines=f"01234567 {published}"),
        run(client, experiment, elsewhere),
    }
    gone = {run(client, experiment), run(client, experiment, dvc__stage="train@d", dvc__inputs="d1")}
    history = champion.history(client, registered.NAME)

    assert "MLflow: 2 deleted runs, 2.0 kB\n" in gc().stdout
    assert {client.get_run(each).info.run_id for each in gone} == gone
    gc("--yes")
    for each in gone:
        with pytest.raises(Exception, match=each):
            client.get_run(each)
        assert not Path("mlartifacts", each, "artifacts/note.txt").exists()
    assert {client.get_run(each).info.run_id for each in kept} == kept
    assert aliases(client) == ("2", "1")
    assert whole(client, "1") and whole(client, "2")
    assert champion.history(client, registered.NAME).moves == history.moves
    run(client, experiment)
    other = client.create_experiment("other")
    client.delete_experiment(other)
    assert "runs left alone: mlflow gc would take all of experiment other" in gc("--yes").stderr
    client.restore_experiment(other)
    gc("--yes")
    assert whole(client, "1")


def test_a_server_that_is_away_leaves_the_rest_to_be_cleaned(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    repro(1)
    snapshot = Path(".snapshots/train@a/1")
    snapshot.mkdir(parents=True)
    done = gc("--yes")
    assert done.stderr.startswith("runs left alone: MLflow at http://127.0.0.1:9 does not answer")
    assert not snapshot.exists()
