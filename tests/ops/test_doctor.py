"""fcn doctor in worlds that lack something: one line for each thing, with its remedy, and no secret word."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import psutil
import pytest
import torch
import yaml
from ops._doctor import apart, archives, device, disk, git, locks, runtime, secret, store
from ops._doctor.examine import CHECKS, examine
from ops._doctor.finding import Check, Finding

from ops.doctor import main
from pipeline.types import Refusal
from tests.closure import ROOT
from tests.ops import stores
from tests.ops.test_run import await_file, environment, project
from tests.tracking.older import older

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
AUTHOR = ("-c", "user.name=author", "-c", "user.email=author@example.org")


def doctor(root: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "ops.fcn", "doctor", *arguments]
    done = subprocess.run(command, cwd=root, env=environment() | variables, capture_output=True, text=True, timeout=90)
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


def found(check: Check, root: Path, params: object = PARAMS) -> list[tuple[str, str]]:
    assert isinstance(params, dict)
    return [(finding.state, finding.text) for finding in check(root, params)]


def committed(root: Path) -> Path:
    """A DVC project with the real params.yaml, all of it in git."""
    project(root, {"data": {"cmd": "echo 1 > data", "outs": ["data"]}})
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    for command in (["add", "."], ["commit", "-qm", "all"]):
        subprocess.run(["git", "-C", root, *AUTHOR, *command], check=True)
    return root


def test_a_healthy_clone_is_ok_line_by_line(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    root = committed(tmp_path / "clone")
    shutil.copy(tables, root / "mlflow.db")
    (root / ".git/info/exclude").write_text("mlflow.db*\n")
    code, output = doctor(root, FCN_TRACKING="live")
    assert code == 0, output
    lines = [line.split(maxsplit=2) for line in output.splitlines()]
    checks = [*[*CHECKS][:3], "vectors", *[*CHECKS][3:]]
    assert [check for _, check, _ in lines] == checks
    states = {check: state for state, check, _ in lines}
    assert (states["archives"], states["remote"]) == ("skip", "skip")
    assert {check for check in checks if states[check] != "ok"} <= {"archives", "remote", "vectors"}, output


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("FCN_TRACKING", "live")
    assert found(store.check, tmp_path) == [("note", "no mlflow.db yet: the first run makes it")]
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("FCN_TRACKING", "off")
    assert found(store.check, tmp_path) == [("skip", "FCN_TRACKING is off: stages tell nothing")]


def test_another_version_of_torch_or_of_the_database_is_a_line_each(tmp_path: Path) -> None:
    older(tmp_path / "mlflow.db")
    params = {**PARAMS, "runtime": {**PARAMS["runtime"], "torch": "1.0.0"}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    code, output = doctor(tmp_path, "mlflow", "runtime", "--json", FCN_TRACKING="live")
    assert code == 1
    first, second = json.loads(output)
    assert (first["check"], first["state"], second["check"], second["state"]) == ("runtime", "fix", "mlflow", "fix")
    assert "params.yaml says runtime.torch: 1.0.0; install that version" in first["text"]
    assert second["text"].endswith("`fcn ui` keeps a copy and upgrades it")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_asked_for_and_absent_is_told_with_the_driver() -> None:
    state, text = device.found("cuda")
    assert state == "fix"
    assert text.startswith("runtime.device is cuda but ")
    assert text.endswith("or python -m ops.compose runtime.device=cpu")
    assert device.found("gpu") == ("fix", "runtime.device is gpu: choose cpu or cuda")


def test_what_hangs_is_cut_off_and_its_password_not_told(tmp_path: Path) -> None:
    root = project(tmp_path / "project", {})
    with stores.silent() as port:
        with (root / ".dvc/config").open("a") as config:
            config.write(f"['remote \"far\"']\n    url = ssh://me:pass-w0rd@127.0.0.1:{port}/x\n")
        uri = f"http://me:s3cr3t-w0rd@127.0.0.1:{port}"
        began = time.monotonic()
        code, output = doctor(root, "remote", "mlflow", "secrets", FCN_TRACKING="live", MLFLOW_TRACKING_URI=uri)
        took = time.monotonic() - began
    assert code == 1
    assert "fix   secrets   .dvc/config is committed and holds url of remote far" in output
    assert (
        f"fix   mlflow    MLflow at http://***@127.0.0.1:{port} does not answer (nothing within 5 s): start it"
        in output
    )
    assert "fix   remote    far (ssh://me:***@127.0.0.1" in output
    assert "w0rd" not in output
    # Imports take seconds of a core, and while tests run the cores are shared
    assert took < 10 * max(1.0, os.getloadavg()[0] / len(os.sched_getaffinity(0))), took


def test_wrong_calls_say_what_is_wrong(tmp_path: Path) -> None:
    assert doctor(tmp_path, "remotes")[0] == 2
    told = main.get_help(click.Context(main))
    assert not [name for name in CHECKS if name not in told]
    code, output = doctor(tmp_path)
    assert (code, output) == (1, f"Error: no params.yaml in {tmp_path}: run fcn doctor in the root of a clone\n")
    (tmp_path / "params.yaml").write_text("runtime: [\n")
    with pytest.raises(Refusal, match=r"params\.yaml: .*: python -m ops\.compose writes it anew"):
        list(examine(tmp_path, ["python"]))


def test_a_check_that_breaks_is_told_and_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(root: Path, params: object) -> Iterator[Finding]:
        raise KeyError("AKIA-w0rd")

    monkeypatch.setitem(CHECKS, "git", broken)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "AKIA-w0rd")
    (tmp_path / "params.yaml").write_text("runtime: {python: '>=3.11'}\n")
    lines = [str(finding) for finding in examine(tmp_path, ["python", "git"])]
    assert lines[0].startswith("ok    python")
    assert lines[1] == "fix   git       this check failed itself: KeyError: '***'"
    (finding,) = apart.ask("ops._doctor.absent", "remote", tmp_path)
    assert finding.state == "fix"
    assert "this check failed itself: " in finding.text
    assert "No module named" in finding.text


def test_kill_9_leaves_a_lock_that_is_told_and_mended(tmp_path: Path) -> None:
    root = project(tmp_path / "project", {"slow": {"cmd": "touch began; sleep 60", "outs": ["never"]}})
    command = [sys.executable, "-m", "dvc", "repro"]
    process = subprocess.Popen(command, cwd=root, env=environment(), stdout=subprocess.DEVNULL)
    await_file(root / "began")
    assert found(locks.check, root) == [("ok", "none is held")]
    family = psutil.Process(process.pid).children(recursive=True)
    for each in [process, *family]:
        each.kill()
    process.wait()
    code, output = doctor(root, "locks")
    assert code == 1
    dead = f".dvc/tmp/rwlock names process {process.pid} (__main__.py repro)"
    assert output == f"fix   locks     {dead}, dead: fcn doctor --mend locks\n"
    assert doctor(root, "locks", "--mend") == (
        0,
        f"ok    locks     {dead.replace('names', 'named')}, dead: taken out\n",
    )
    assert json.loads((root / ".dvc/tmp/rwlock").read_text()) == {"write": {}, "read": {}}
    assert found(locks.check, root) == [("ok", "none is held")]


def test_only_locks_of_provably_dead_processes_are_taken_out(tmp_path: Path) -> None:
    path = tmp_path / ".dvc/tmp/rwlock"
    path.parent.mkdir(parents=True)
    gone = subprocess.Popen(["true"])
    gone.wait()
    lives, died = {"pid": os.getpid(), "cmd": "a"}, {"pid": gone.pid, "cmd": "b"}
    path.write_text(json.dumps({"write": {"x": lives, "y": died}, "read": {"z": [died, lives], "w": [died]}}))
    (finding,) = locks.check(tmp_path, {}, mend=True)
    assert finding.text.startswith(f".dvc/tmp/rwlock named process {gone.pid} (b), dead")
    assert json.loads(path.read_text()) == {"write": {"x": lives}, "read": {"z": [lives]}}
    os.utime(path, (1e9, 1e9))  # written long before this process was born: another had its number
    assert found(locks.check, tmp_path)[0][1].startswith(f".dvc/tmp/rwlock names process {os.getpid()} (a), dead")
    path.write_text('{"write": ')
    damaged = ".dvc/tmp/rwlock is damaged, so no stage runs: where no dvc works here, rm .dvc/tmp/rwlock"
    assert found(locks.check, tmp_path) == [("fix", damaged)]


HOLD = """
import os, sys, time
from dvc.lock import make_lock
lock = make_lock(".dvc/tmp/lock", ".dvc/tmp", hardlink_lock=sys.argv[1] == "link")
lock.lock()
child = os.fork() if sys.argv[1] == "fork" else 1
if child:
    print(child, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("kind", ["plain", "fork", "link"])
def test_dvc_s_own_lock_is_told_by_who_holds_it(tmp_path: Path, kind: str) -> None:
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, kind], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    try:
        alive = found(locks.check, tmp_path)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    try:
        dead = found(locks.check, tmp_path)
    finally:
        if kind == "fork":
            os.kill(child, signal.SIGKILL)
    if kind == "link":
        assert alive == dead
        assert dead[0][1].endswith(
            "(core.hardlink_lock): where no dvc works on this folder, on any machine, rm .dvc/tmp/lock"
        )
    else:
        assert alive == [("note", f"DVC is at work here (process {holder.pid})")]
    if kind == "fork":
        assert dead[0][1].startswith(f".dvc/tmp/lock is held but process {holder.pid}, which took it, is gone: end the")
    if kind == "plain":
        assert dead == [("ok", "none is held")]


def test_events_that_nobody_will_send_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FCN_SPOOL", str(tmp_path / "spool"))
    (tmp_path / "spool/train@a/1f").mkdir(parents=True)
    (tmp_path / "spool/train@a/1f/events.jsonl").write_text("{}\n")
    assert found(locks.check, tmp_path) == [
        ("note", f"{tmp_path}/spool holds events of 1 run, whose stage is gone: fcn sync")
    ]


def test_git_tells_of_a_shallow_clone_of_changes_and_of_none(tmp_path: Path) -> None:
    assert found(git.check, tmp_path)[0][1].startswith("not a git repository")
    origin = tmp_path / "origin"
    subprocess.run(["git", "init", "-q", str(origin)], check=True)
    for text in "ab":
        (origin / "file").write_text(text)
        for command in (["add", "."], ["commit", "-qm", text]):
            subprocess.run(["git", "-C", origin, *AUTHOR, *command], check=True)
    assert found(git.check, origin)[0][1].endswith(", clean")
    (origin / "file").write_text("c")
    (origin / "new").touch()
    state, text = found(git.check, origin)[0]
    assert (state, text.partition(" ")[2]) == ("note", "with changes (M file and 1 more): runs will be tagged dirty")
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{origin}", tmp_path / "shallow"], check=True)
    state, text = found(git.check, tmp_path / "shallow")[0]
    assert state == "fix"
    assert text.endswith("git fetch --unshallow (in CI: fetch-depth: 0)")


def test_archives_are_told_by_their_size_and_where_they_would_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def row(name: str, **more: object) -> dict[str, object]:
        return {"name": name, "urls": [], "sha256": [], "bytes": 3, **more}

    files = {"voc": {"files": [row("a"), row("b")]}, "sbd": {"files": [row("c", bytes=None)]}}
    params = {"scale": "paper", "downloads": files}
    for name in ("FCN_MIRROR", "FCN_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "data/raw/voc").mkdir(parents=True)
    (tmp_path / "data/raw/voc/a").write_text("123")
    assert found(archives.check, tmp_path, params) == [("note", "2 of 3 will be downloaded, 3 B: b, c")]
    monkeypatch.setenv("FCN_OFFLINE", "1")
    offline = "b, c are absent and FCN_OFFLINE is set: put them into FCN_MIRROR"
    assert found(archives.check, tmp_path, params) == [("fix", offline)]
    mirror = tmp_path / "mirror"
    monkeypatch.setenv("FCN_MIRROR", str(mirror))
    missing = f"FCN_MIRROR is {mirror}, no folder to read: correct or unset it"
    assert found(archives.check, tmp_path, params)[0] == ("fix", missing)
    mirror.mkdir()
    (mirror / "b").write_text("1234")
    (mirror / "c").write_text("1")
    wrong = f"{mirror}/b has 4 bytes, not 3: replace it, or remove it and run dvc repro"
    assert found(archives.check, tmp_path, params) == [("fix", wrong), ("ok", "all 3 are here")]
    params = {"downloads": {"voc": {"files": [row("b", sha256=["0" * 64, "1" * 64])]}}}
    assert "expected" in found(archives.check, tmp_path, params)[0][1]


def test_a_disk_too_small_for_the_originals_is_told(tmp_path: Path) -> None:
    huge = {"files": [{"name": "a", "urls": [], "sha256": [], "bytes": 10**18}]}
    ((state, text),) = found(disk.check, tmp_path, {"downloads": {"voc": huge}})
    assert state == "fix"
    assert "the pipeline writes about 4000000 TB more: free some, or move the cache" in text
    ((state, text),) = found(disk.check, ROOT)
    assert state == "ok"


def test_credentials_in_a_committed_file_are_named_by_option_and_never_by_value(tmp_path: Path) -> None:
    root = project(tmp_path / "project", {})
    with (root / ".dvc/config").open("a") as config:
        config.write("['remote \"m\"']\n    url = s3://b/x\n    secret_access_key = sekret\n    region = x\n")
    subprocess.run(["git", "-C", root, "add", "."], check=True)
    (root / ".dvc/config.local").write_text("['remote \"m\"']\n    password = pass-w0rd\n")
    subprocess.run(["git", "-C", root, "add", "-f", ".dvc/config.local"], check=True)
    (first, second) = found(secret.check, root)
    assert first == (
        "fix",
        ".dvc/config is committed and holds secret_access_key of remote m: dvc remote modify --local m "
        "secret_access_key …, then take it out of .dvc/config and renew it",
    )
    assert second[1].startswith("git tracks .dvc/config.local: git rm --cached .dvc/config.local")
    assert secret.masked("sekret pass-w0rd x", secret.words(root)) == "*** *** x"


def test_python_is_held_to_params(tmp_path: Path) -> None:
    (state, text), *_ = found(runtime.python, tmp_path, {"runtime": {"python": ">=9.1"}})
    assert state == "fix"
    assert "params.yaml says runtime.python: >=9.1" in text
