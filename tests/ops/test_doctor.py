"""fcn doctor in worlds that lack something: one line for each thing, with its remedy, and no secret word."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops import doctor as checks
from ops._remotes import masked, with_timeout
from tests.closure import ROOT
from tests.ops.test_remotes import silent
from tests.ops.test_run import await_file, environment, project
from tests.tracking.servers import older

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())


def doctor(root: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "ops.fcn", "doctor", *arguments]
    done = subprocess.run(command, cwd=root, env=environment() | variables, capture_output=True, text=True, timeout=90)
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DVC project that has not run, with the real params.yaml."""
    for name in ("MLFLOW_TRACKING_URI", "FCN_MIRROR", "FCN_OFFLINE", "FCN_SPOOL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FCN_TRACKING", "live")
    project(tmp_path / "project", {"data": {"cmd": "touch began; sleep 60", "outs": ["data"]}})
    (tmp_path / "project/params.yaml").write_text(yaml.safe_dump(PARAMS))
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def test_a_healthy_clone_is_ok_line_by_line_and_a_check_can_be_asked_alone(root: Path, tables: Path) -> None:
    shutil.copy(tables, root / "mlflow.db")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code, output = doctor(root)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert code == 0, output
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 15, "10 s where nothing else runs"
    states = {name: "skip" if name in ("archives", "remote") else "ok" for name in checks.CHECKS}
    assert [line.split()[:2] for line in output.splitlines()] == [[state, name] for name, state in states.items()]
    (root / "mlflow.db").unlink()
    told = "ok    locks     none is stale\nnote  mlflow    no mlflow.db yet: the first run makes it\n"
    assert doctor(root, "mlflow", "locks") == (0, told)
    assert not (root / "mlflow.db").exists()


def test_another_version_of_torch_or_of_the_database_is_a_line_each(root: Path) -> None:
    older(root / "mlflow.db")
    params = {**PARAMS, "runtime": {**PARAMS["runtime"], "torch": "1.0.0"}}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    code, output = doctor(root, "mlflow", "runtime")
    assert code == 1
    first, second = output.splitlines()
    assert first.startswith("fix   runtime   torch ")
    assert "params.yaml says runtime.torch: 1.0.0; install that version" in first
    assert second.startswith("fix   mlflow ") and second.endswith("`fcn ui` keeps a copy and upgrades it")


def test_what_hangs_is_cut_off_and_its_password_not_told(root: Path) -> None:
    with silent() as port:
        with (root / ".dvc/config").open("a") as config:
            config.write(f"['remote \"far\"']\n    url = ssh://me:pass-w0rd@127.0.0.1:{port}/x\n")
        uri = f"http://me:s3cr3t-w0rd@127.0.0.1:{port}"
        for check, reason in {
            "mlflow": f"MLflow at http://***@127.0.0.1:{port}: no answer in 8 s: start it, or unset",
            "secrets": ".dvc/config is committed and holds url of remote far: dvc remote modify --local far url …",
        }.items():
            code, output = doctor(root, check, MLFLOW_TRACKING_URI=uri)
            assert code == 1
            assert output.startswith(f"fix   {check:<8}  {reason}")
            assert "w0rd" not in output


def test_no_secret_word_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (root / ".dvc/config").open("a") as config:
        config.write("['remote \"m\"']\n    url = s3://b/x\n    secret_access_key = sekret-key\n    region = x\n")
    (root / ".dvc/config.local").write_text("['remote \"m\"']\n    password = pass-w0rd\n    ask_password = true\n")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "AKIA-w0rd")
    text = "true: sekret-key pass-w0rd AKIA-w0rd s3://me:pa%20ss@host/x"
    assert masked(text, root) == "true: *** *** *** s3://me:***@host/x"
    ((state, told),) = checks.secrets(root, {})
    assert state == "fix"
    assert told.startswith(
        ".dvc/config is committed and holds secret_access_key of remote m: dvc remote modify --local"
    )


def test_a_check_that_breaks_is_told_and_hides_no_other(root: Path) -> None:
    assert doctor(root, "remotes")[0] == 2
    (root / "params.yaml").write_text("runtime: {python: '>=3.11', threads: 1}\ndownloads: 3\n")
    (root / ".dvc/config").write_text("[nonsense\n")
    code, output = doctor(root, "archives", "locks", "remote")
    first, second, third = output.splitlines()
    assert code == 1 and first.startswith("fix   archives  this check failed itself: AttributeError: ")
    assert second == "ok    locks     none is stale"
    assert third.startswith("fix   remote    this check failed itself: ")
    answers = with_timeout({"a": lambda: 1, "b": lambda: json.loads("{")})
    assert answers["a"] == 1 and isinstance(answers["b"], ValueError)
    (root / "params.yaml").write_text("runtime: [\n")
    code, output = doctor(root)
    assert code == 1 and output.startswith(f"Error: {root}/params.yaml cannot be read (") and output.count("\n") == 1
    assert output.endswith("): restore it from git\n")
    (root / "params.yaml").unlink()
    assert doctor(root) == (1, f"Error: no {root}/params.yaml: go to the clone's folder\n")


def test_kill_9_leaves_a_lock_that_is_told_and_no_stage_stopped_by_it(root: Path) -> None:
    command = [sys.executable, "-m", "dvc", "repro"]
    process = subprocess.Popen(command, cwd=root, env=environment(), stdout=subprocess.DEVNULL, start_new_session=True)
    await_file(root / "began")
    assert [*checks.locks(root, {})] == [("ok", "none is stale")]
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    dead = f".dvc/tmp/rwlock names process {process.pid}, which is dead: DVC takes it out, or rm .dvc/tmp/rwlock"
    assert [*checks.locks(root, {})] == [("note", dead)]
    (root / ".spool/train@a/1f").mkdir(parents=True)
    (root / ".spool/train@a/1f/events.jsonl").write_text("{}\n")
    unsent = f"{root}/.spool holds events of 1 runs whose stage is gone: fcn sync"
    assert [*checks.locks(root, {})] == [("note", dead), ("note", unsent)]
    (root / ".dvc/tmp/rwlock").write_text('{"write": ')
    code, output = doctor(root, "locks")
    assert code == 1
    assert output.endswith("is damaged, so no stage runs: where no dvc works here, rm .dvc/tmp/rwlock\n")


def test_archives_are_told_by_their_size_whether_they_can_come_and_whether_the_disk_holds_them(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def row(name: str, **more: object) -> dict[str, object]:
        return {"name": name, "urls": [], "sha256": [], "bytes": 3, **more}

    files = {
        "voc": {"folder": "data/raw/voc", "files": [row("a"), row("b")]},
        "sbd": {"folder": "data/raw/sbd", "files": [row("c", bytes=None)]},
        "vgg": {"folder": "data/weights/vgg", "files": [row("d")]},
    }
    params: dict[str, Any] = {"scale": "paper", "downloads": files}
    for folder, name in (("raw/voc", "a"), ("weights/vgg", "d")):
        (root / "data" / folder).mkdir(parents=True)
        (root / "data" / folder / name).write_text("123")
    assert [*checks.archives(root, params)] == [("note", "2 of 4 are still to fetch, 3 B: b, c")]
    monkeypatch.setenv("FCN_OFFLINE", "1")
    offline = "FCN_OFFLINE is set and 2 are absent, 3 B: b, c: put them into FCN_MIRROR"
    assert [*checks.archives(root, params)] == [("fix", offline)]
    mirror = root / "mirror"
    monkeypatch.setenv("FCN_MIRROR", str(mirror))
    mirror.mkdir()
    (mirror / "b").write_text("1234")
    (mirror / "c").write_text("1")
    wrong = f"{mirror}/b has 4 bytes, not 3: replace it, or remove it and run dvc repro"
    assert [*checks.archives(root, params)] == [("fix", wrong), ("ok", "all 4 are here")]

    huge = {"folder": "data/raw/voc", "files": [{"name": "z", "urls": [], "sha256": [], "bytes": 10**18}]}
    ((state, text),) = checks.disk(root, {"downloads": {"voc": huge}})
    assert state == "fix"
    assert text.endswith("the pipeline writes about 4000000 TB more: free some")
    assert [state for state, _ in checks.disk(ROOT, PARAMS)] == ["ok"]


def test_the_disk_of_scale_paper_is_foretold_from_a_rehearsal(root: Path) -> None:
    def told(scale: str) -> str:
        ((state, text),) = checks.disk(root, {"scale": scale})
        assert state == "ok"
        return text.partition("the pipeline writes about ")[2]

    assert told("paper") == "0 B more beside nets, of which a rehearsal tells (docs/paper.md)"
    (root / ".seconds.tsv").write_text(
        "data\t9\trehearsal\t0\n"  # of a time that counted no bytes
        "data\t9\trehearsal\t0\t1.0\t2\t500000000\n"
        "gone\t9\trehearsal\t0\t1.0\t2\t500000000\n"
        "data\t9\tminiature\t0\t1.0\t2\t30\n"
    )
    assert (told("paper"), told("miniature"), told("photos")) == ("1.0 GB more", "60 B more", "0 B more")
    (root / "data").touch()
    assert told("paper") == "1.0 GB more", "what a rehearsal wrote is written anew"
    with (root / ".seconds.tsv").open("a") as file:
        file.write("data\t9\tpaper\t0\t1.0\t2\t500000000\n")
    assert told("paper") == "0 B more"
    kept = {"recipes": {"a": {"solver": {"iterations": 100, "milestones": 4}}}}
    assert (checks._milestones(kept, "train@a"), checks._milestones(kept, "convert@a")) == (26 / 3, 1)


def test_a_virtual_environment_that_moved_is_told_and_made_anew(root: Path) -> None:
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "bench.lock"):
        shutil.copy(ROOT / name, root)

    def make(flag: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        command = ["make", flag, "setup"]
        return subprocess.run(command, cwd=root, env=clean, capture_output=True, text=True, check=False)

    stamp = re.findall(r"touch (\S+)", make("--dry-run").stdout)[0]
    (root / ".venv/bin").mkdir(parents=True)
    (root / stamp).touch()
    (root / ".venv/bin/fcn").write_text(f"#!{root}/.venv/bin/python\nimport sys\n")
    assert (make("--question").returncode, [*checks._venv(root)]) == (0, [])
    root = root.rename(root.with_name("moved"))
    told = f"{root}/.venv was made in another folder: make setup makes it anew"
    assert (make("--question").returncode, [*checks._venv(root)]) == (1, [("fix", told)])
    assert make("--dry-run").stdout.startswith("rm -rf .venv\n")
