"""fcn gc on a real DVC project and a real MLflow store: what nobody needs goes, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from dvc.repo import Repo
from mlflow import MlflowClient
from mlflow.entities import Metric, RunTag

from ops import _workspace
from ops.fcn import main
from pipeline import proof
from pipeline.core.types import Refusal
from pipeline.proof import Proof
from pipeline.registry.champion import history
from pipeline.runtime.fingerprint import Fingerprint
from pipeline.tracking.connect import connect
from pipeline.tracking.spool import Spool
from pipeline.tracking.sync import sync
from stages._records import identity
from stages.shared import dvc
from stages.shared.fingerprint import digest
from tests.registry import registered
from tests.registry.registered import aliases, promote, whole
from tests.tracking.servers import mlflow_server

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # of DVC's own use of pygtrie

OLD = time.time() - 3 * 86400
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
HOLD = """
import sys, time
from pathlib import Path
from pipeline.tracking.spool import Spool
Spool(Path(sys.argv[1])).begin(tags={}, params={}, texts={})
print("held", flush=True)
time.sleep(60)
"""


def git(*arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments], check=True, capture_output=True)


def repro(lr: int) -> None:
    Path("params.yaml").write_text(yaml.safe_dump({"recipes": {"a": {"lr": lr}}}))
    with Repo(".") as repo:
        repo.reproduce()


def objects() -> set[str]:
    return {path.parent.name + path.name for path in Path(".dvc/cache/files/md5").glob("*/*")}


def runs() -> set[str]:
    return {path.name for path in Path(".dvc/cache/runs").glob("*/*/*")}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """main has lr 1, the branch side lr 2, the tag t lr 3; nothing has lr 4, which ran, too."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    for name in ("MLFLOW_TRACKING_URI", "FCN_SNAPSHOTS", "FCN_SPOOL"):
        monkeypatch.delenv(name, raising=False)
    git("init", "-qb", "main")
    Repo.init(".").close()
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"train": TRAIN, "evaluate": EVALUATE}}))
    Path("code").write_text("1")
    Path(".gitignore").write_text("/runs/\n/eval/panel\n/mlflow.db*\n/mlartifacts/\n/.*/\n")
    for lr, keep in ((1, ["branch", "-M", "main"]), (2, ["branch", "side"]), (3, ["tag", "t"])):
        repro(lr)
        git("add", "-A")
        git("commit", "-qm", f"lr {lr}")
        git(*keep)
    git("reset", "-q", "--hard", "main~2")
    return root


def aged(*roots: Path) -> None:
    for path in [each for root in roots for each in (root, *root.rglob("*"))]:
        os.utime(path, (OLD, OLD), follow_symlinks=False)


def fcn(*arguments: str, code: int = 0, answer: str | None = None) -> Result:
    done = CliRunner().invoke(main, ["gc", *arguments], input=answer)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


def listed(done: Result) -> list[list[str]]:
    """Kind, name and reason of each."""
    rows = [line.split("  ") for line in done.stdout.partition("\n\n")[0].splitlines()]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    return [[row[0], row[1], row[-1]] for row in cells]


def test_of_the_cache_what_no_lock_anywhere_names_goes_with_the_runs_that_would_restore_it(project: Path) -> None:
    kept, kept_runs = objects(), runs()
    repro(4)
    lost, lost_runs = objects() - kept, runs() - kept_runs
    assert len(lost) == 2, "the model, and eval/metrics.json; the folder more is as ever"
    assert len(lost_runs) == 2
    assert "nothing to remove" in fcn("--dry-run").stdout, "the work tree names it"
    git("checkout", "-q", ".")

    assert fcn("--dry-run").stdout == "nothing to remove\n4 more, younger than 1 d, stay: --keep-days 0 lists them\n"
    done = fcn("--dry-run", "--keep-days", "0")
    assert {row[1].split(" ")[-1] for row in listed(done) if row[0] == "cache"} == {"runs/a/model", "eval/metrics.json"}
    assert len([row for row in listed(done) if row[0] == "run cache"]) == 2
    assert (objects(), runs()) == (kept | lost, kept_runs | lost_runs), "a dry run removes nothing"
    assert "nobody answered: --yes removes these" in fcn("--keep-days", "0", code=1).stderr
    fcn("--keep-days", "0", answer="n\n")
    assert objects() == kept | lost
    assert fcn("--keep-days", "0", answer="y\n").stdout.splitlines()[-1].startswith("removed: 4, ")
    assert (objects(), runs()) == (kept, kept_runs)
    assert fcn("--keep-days", "0", "--dry-run").stdout == "nothing to remove\n"

    for revision, lr in (("main", 1), ("side", 2), ("t", 3)):
        git("checkout", "-q", revision)
        with Repo(".") as repo:
            repo.checkout(force=True)
        assert f"lr: {lr}" in Path("runs/a/model").read_text()
        assert Path("runs/a/more/code").read_text() == "1"
    git("checkout", "-q", "main")
    Path("dvc.lock").unlink()
    with Repo(".") as repo:
        assert not [stage for stage in repo.reproduce() if stage.cmd_changed], "restored from the run cache"


def test_what_dvc_lock_has_of_another_scale_stays(project: Path) -> None:
    before = objects()
    Path("params.yaml").write_text("recipes: {}\n")
    git("branch", "-qD", "side")
    git("tag", "-d", "t")
    lost = {row[1].split(" ")[0] for row in listed(fcn("--dry-run", "--keep-days", "0")) if row[0] == "cache"}
    assert len(lost) == 4
    named = {md5 for entry in yaml.safe_load(Path("dvc.lock").read_text())["stages"].values() for md5 in hashes(entry)}
    assert named < before
    assert not {md5[:8] for md5 in named} & lost


def hashes(entry: dict[str, list[dict[str, str]]]) -> set[str]:
    return {out["md5"] for out in entry["outs"]}


def test_while_a_stage_runs_and_where_others_share_it_the_cache_is_left_alone(project: Path, tmp_path: Path) -> None:
    repro(4)
    git("checkout", "-q", ".")
    before = objects()
    lock = Path(".dvc/tmp/rwlock")
    lock.write_text(json.dumps({"write": {"x": {"pid": os.getpid(), "cmd": "dvc repro"}}, "read": {}}))
    done = fcn("--yes", "--keep-days", "0")
    assert done.stderr == f"DVC's cache is left alone: stages run (process {os.getpid()})\n"
    elsewhere = Path(".dvc/tmp/exps/tmpx/.dvc/tmp")
    elsewhere.mkdir(parents=True)
    lock.rename(elsewhere / "rwlock")
    assert "stages run" in fcn("--yes", "--keep-days", "0").stderr
    shutil.rmtree(elsewhere)
    shutil.move(".dvc/cache", tmp_path / "shared")
    Path(".dvc/config.local").write_text(f"[cache]\n    dir = {tmp_path}/shared\n")
    assert "others may use it" in fcn("--yes", "--keep-days", "0").stderr
    shutil.move(tmp_path / "shared", ".dvc/cache")
    assert objects() == before


def test_an_unreadable_lock_of_any_branch_stops_everything(project: Path) -> None:
    git("checkout", "-q", "side")
    Path("dvc.lock").write_text("stages: [")
    git("commit", "-qam", "broken")
    git("checkout", "-q", "main")
    assert "dvc.lock of " in fcn("--yes", "--keep-days", "0", code=1).stderr


def snapshot(stage: str, params: dict[str, int], digits: str) -> Path:
    """As a training leaves it that was killed three days ago."""
    folder = Path(".snapshots") / stage / digits
    folder.mkdir(parents=True)
    mark = Fingerprint(stage=stage, params=params, deps={"code": digest(Path("code"))}, torch="2", device="cpu")
    (folder / "fingerprint.json").write_text(json.dumps(mark.to_json()))
    (folder / "iteration-000000009-0123456789abcdef.safetensors").write_bytes(b"weights")
    aged(folder)
    return folder


def spooled(folder: Path, status: str) -> Path:
    spool = Spool(folder)
    spool.begin(tags={}, params={}, texts={})
    spool.point(1, {"loss": 1.0})
    spool.end(status, {})
    return folder


@contextmanager
def training(folder: Path) -> Iterator[None]:
    """A process that writes the spool ``folder``."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout and process.stdout.readline() == "held\n"
            yield
        finally:
            process.kill()


def test_scratch_that_nobody_goes_on_from_goes_and_a_training_that_goes_on_keeps_its_own(
    project: Path, tables: Path
) -> None:
    shutil.copy(tables, "mlflow.db")
    Path("params.yaml").write_text(yaml.safe_dump({"recipes": {"a": {"lr": 1}, "b": {"lr": 1}, "c": {"lr": 1}}}))
    finished = snapshot("train@a", {"recipes.a.lr": 1}, "aaaa")
    changed = snapshot("train@b", {"recipes.b.lr": 7}, "bbbb")
    resumed = snapshot("train@b", {"recipes.b.lr": 1}, "b0b0")
    written = snapshot("train@b", {"recipes.b.lr": 8}, "b1b1")
    (written / "iteration-000000010-0123456789abcdef.safetensors").write_bytes(b"now")
    live = snapshot("train@c", {"recipes.c.lr": 7}, "cccc")
    gone = snapshot("train@z", {}, "zzzz")

    sent, going = (spooled(Path(".spool") / work, "FAILED") for work in ("train@b/bbbb", "train@b/b0b0"))
    sync(project, Path(".spool").resolve())
    unsent = spooled(Path(".spool/train@b/dddd"), "FAILED")

    part, fresh = Path(".downloads/voc.tar.part"), Path(".downloads/sbd.tar.part")
    part.parent.mkdir()
    for path in (part, fresh):
        path.write_bytes(b"x" * 5000)
    copy = Path("mlflow.db.0123456789ab")
    copy.write_bytes(b"x")
    for stage, inputs in (("train@a", None), ("evaluate", "other"), ("train@z", "other")):
        entry = dvc.entries(project)["train@a"]
        versions = {"torch": "2", "python": "3", "processor": "cpu", "outputs": entry.outputs}
        proof.write(project, Proof(stage=stage, inputs=inputs or entry.inputs, **versions))
    left = Path(tempfile.mkdtemp(prefix="fcn-verify-"))
    aged(part, copy, left, Path(".spool"))

    with training(Path(".spool/train@c/cccc")), _workspace.workspace(project, [], keep=False) as verifying:
        aged(verifying)
        done = fcn("--dry-run", "--keep-days", "0")
        known = [row for row in listed(done) if row[0] != "run"]
        assert sorted(known) == sorted(
            [
                ["database", copy.name, "kept before a schema was upgraded"],
                ["download", str(part), "a download that stopped"],
                ["proof", ".verified/evaluate.json", "dvc.lock has another entry by now"],
                ["proof", ".verified/train@z.json", "dvc.lock has no such stage"],
                ["snapshot", str(finished), "the stage is finished"],
                ["snapshot", str(changed), "a rerun starts fresh, for recipes.b.lr 7 → 1"],
                ["snapshot", str(gone), "dvc.yaml has no such stage"],
                ["spool", str(sent), "sent whole, and no snapshot to go on from"],
                ["workspace", str(left), "fcn verify kept it, or was killed"],
            ]
        )
        assert "download: 1, 5.0 kB" in done.stdout
        fcn("--yes", "--keep-days", "0")
        assert not [path for path in (copy, part, finished, changed, gone, sent, left) if path.exists()]
        for path in (resumed, written, live, going, unsent, fresh, verifying, Path(".verified/train@a.json")):
            assert path.exists()
        assert Path(".spool/train@c/cccc/events.jsonl").exists()


def run(client: MlflowClient, experiment: str, status: str = "FINISHED", scored: bool = True, **tags: str) -> str:
    made = client.create_run(experiment, tags={name.replace("__", "."): value for name, value in tags.items()})
    if scored:
        client.log_batch(made.info.run_id, metrics=[Metric("loss", 1.0, 0, 0)])
    client.log_text(made.info.run_id, "x" * 1000, "note.txt")
    if status != "RUNNING":
        client.set_terminated(made.info.run_id, status)
    return str(made.info.run_id)


def test_of_mlflow_what_tells_nothing_goes_and_what_a_version_came_from_stays(project: Path, tables: Path) -> None:
    shutil.copy(tables, "mlflow.db")
    client, experiment = connect(project)
    upstream = run(client, experiment, dvc__stage="convert@voc", dvc__inputs="c1")
    former, now = registered.run(client, experiment), run(client, experiment, dvc__stage="train@b", dvc__inputs="i2")
    client.log_batch(former, tags=[RunTag("upstream.convert_voc", "c1")])
    promote(client, former, "first")
    promote(client, now, "second", **{"dvc.stage": "train@b", "dvc.inputs": "i2"})
    for each in (upstream, former, now):
        client.delete_run(each)  # by hand, in the UI
    locked = identity(dvc.entries(project)["train@a"])
    published = dvc.pipeline(dvc.entries(project).values())[:8]
    kept = {
        run(client, experiment, "FAILED", scored=False, dvc__stage="a", **{f"pipeline__{published}": "made"}),
        run(client, experiment, **{name.replace(".", "__", 1): value for name, value in locked.items()}),
        run(client, experiment, "FAILED", dvc__stage="train@b"),
        run(client, experiment, "RUNNING", scored=False, dvc__stage="train@c"),
        run(client, experiment, dvc__stage="train@d", dvc__inputs="d1"),
        *(upstream, former, now),
    }
    orphans = {
        run(client, experiment): "deleted in MLflow",
        run(client, experiment, "FAILED", scored=False): "FAILED before it had a number",
        run(client, experiment, "KILLED", scored=False): "KILLED before it had a number",
        run(client, experiment, dvc__stage="train@d", dvc__inputs="d1"): "is of the same stage and inputs",
    }
    client.delete_run(next(iter(orphans)))
    before = history(client, registered.NAME)

    done = fcn("--dry-run", "--keep-days", "0")
    assert sorted(row[1].split()[-1] for row in listed(done)) == sorted(each[:8] for each in orphans)
    for each, why in orphans.items():
        assert next(row for row in listed(done) if row[1].endswith(each[:8]))[2].endswith(why)
    assert client.get_run(next(iter(orphans))).info.lifecycle_stage == "deleted"

    fcn("--yes", "--keep-days", "0")
    for each in orphans:
        with pytest.raises(Exception, match=each):
            client.get_run(each)
    assert {path.name for path in Path("mlartifacts").iterdir()} == kept
    assert {client.get_run(each).info.run_id for each in kept} == kept
    assert aliases(client) == ("2", "1")
    assert whole(client, "1")
    assert whole(client, "2")
    assert history(client, registered.NAME).moves == before.moves
    assert fcn("--dry-run", "--keep-days", "0").stdout == "nothing to remove\n"


@pytest.mark.slow
def test_runs_on_a_server_are_listed_and_go_to_its_trash_when_that_is_asked_for(
    project: Path, tables: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copy(tables, tmp_path / "team.db")
    with mlflow_server(f"sqlite:///{tmp_path}/team.db", str(tmp_path / "artifacts"), tmp_path) as url:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        client, experiment = connect(project)
        dead, deleted = (run(client, experiment, "FAILED", scored=False) for _ in range(2))
        client.delete_run(deleted)
        done = fcn("--yes", "--keep-days", "0")
        assert [row[2] for row in listed(done)] == ["FAILED before it had a number, on a server: --server"]
        assert "removed" not in done.stdout
        assert client.get_run(dead).info.lifecycle_stage == "active"
        assert fcn("--yes", "--server", "--keep-days", "0").stdout.splitlines()[-1] == "removed: 1, 0 B"
        assert {client.get_run(each).info.lifecycle_stage for each in (dead, deleted)} == {"deleted"}
    assert not (project / "mlflow.db").exists()


def test_a_server_that_is_away_leaves_the_rest_to_be_cleaned(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    changed = snapshot("train@a", {"recipes.a.lr": 7}, "aaaa")
    done = fcn("--yes")
    assert done.stderr.startswith("MLflow is left alone: MLflow at http://127.0.0.1:9 does not answer")
    assert not changed.exists()


def test_wrong_calls_say_what_is_wrong(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fcn("--dry-run", "--yes", code=1).stderr == (
        "Error: --dry-run removes nothing and --yes all: give one of them\n"
    )
    assert "-1" in fcn("--keep-days", "-1", code=2).stderr
    monkeypatch.chdir(project / "eval")
    assert f"cd {project}" in fcn(code=1).stderr
    monkeypatch.chdir("/")
    with pytest.raises(Refusal, match="DVC cannot tell"):
        from ops._gc import orphans

        orphans.find(Path("/"), 0)
