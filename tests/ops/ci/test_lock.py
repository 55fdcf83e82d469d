"""Two dispatches at once: one waits for the other, however that ends; real `fcn ci run` on a small DVC project."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import yaml

from ops.ci import _lock
from tests.closure import ROOT
from tests.ops.test_run import await_file

SLOW = "date +%s%N > begun; until [ -e ../go ]; do sleep 0.1; done; date +%s%N > ended; echo 1 > slow"


def project(root: Path, cmd: str = SLOW) -> Path:
    root.mkdir()
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"slow": {"cmd": cmd, "outs": ["slow"]}}}))
    (root / "params.yaml").write_text("runtime: {device: cpu, threads: 1}\n")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], cwd=root, env=environment(root), check=True)
    return root


def environment(root: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "FCN_", "GITHUB_"))}
    more = {"PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1", "SHELL": "/bin/sh", "FCN_SCRATCH": str(root.parent / "s")}
    return {**kept, **more, "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": root.name}


def start(root: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ops.fcn", "ci", "run"]
    out = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=root, env=environment(root), stdout=out, stderr=subprocess.STDOUT, text=True
    )  # fmt: skip


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def span(root: Path) -> tuple[int, int]:
    return int((root / "begun").read_text()), int((root / "ended").read_text())


def test_of_two_dispatches_the_second_waits_and_says_for_whom(tmp_path: Path) -> None:
    roots = [project(tmp_path / name) for name in ("first", "second")]
    first = start(roots[0])
    await_file(roots[0] / "begun")
    second = start(roots[1])
    assert "waiting: https://github.com/a/b/actions/runs/first on" in first_line(second)
    (tmp_path / "go").touch()
    said = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], said
    assert "waiting" not in said[0]
    assert span(roots[0])[1] < span(roots[1])[0]


def test_the_lock_dies_with_its_holder_and_what_that_left_running_is_stopped_first(tmp_path: Path) -> None:
    left, root = project(tmp_path / "left"), project(tmp_path / "next", "echo 1 > slow")
    holder = start(left)
    await_file(left / "begun")
    orphans = psutil.Process(holder.pid).children(recursive=True)
    holder.kill()
    holder.wait()
    assert holder.stdout is not None
    holder.stdout.close()  # read to its end it would outlast the orphans
    assert any(orphan.is_running() for orphan in orphans), "kill -9 reaches one process"
    following = start(root)
    said = following.communicate(timeout=60)[0]
    assert following.returncode == 0, said
    assert "that a killed retraining left running" in said
    assert not [each for each in orphans if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    assert not (left / "slow").exists()


def test_who_waits_can_be_cancelled(tmp_path: Path) -> None:
    roots = [project(tmp_path / name) for name in ("first", "second")]
    first = start(roots[0])
    await_file(roots[0] / "begun")
    second = start(roots[1])
    assert "waiting" in first_line(second)
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=60)
    assert second.returncode != 0
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    assert first.returncode == 130
    assert not (roots[1] / "begun").exists()


def test_a_lock_that_is_free_again_names_nobody(tmp_path: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        with _lock.held(tmp_path / "lock", "somewhere", said.append):
            assert "somewhere" in (tmp_path / "lock").read_text()
            assert os.environ[_lock.MARK]
    assert (tmp_path / "lock").read_text() == "{}"
    assert _lock.MARK not in os.environ
    began = time.monotonic()
    (tmp_path / "lock").write_text("half a li")  # the disk was full
    with _lock.held(tmp_path / "lock", "", said.append):
        assert time.monotonic() - began < _lock.POLL
    assert said == []
