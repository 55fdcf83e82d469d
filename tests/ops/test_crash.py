"""Stages that are forked are what `python -m` runs; one that crashes says where, and is begun once more."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from ops._repro import forks
from tests.closure import ROOT
from tests.ops.test_run import await_file, environment, project, run, start

HEAD = """
import json, os, signal, sys, time
from pathlib import Path
import click
from stages.shared.stage import Stage

@click.command(cls=Stage)
@click.argument("key")
def main(key: str) -> None:
"""
TAIL = """
if __name__ == "__main__":
    main()
"""


def body(text: str) -> str:
    return HEAD + "".join(f"    {line}\n" for line in text.splitlines()) + TAIL


CRASH = "os.kill(os.getpid(), signal.SIGSEGV)"
ONCE = f"""
if not Path("crashed").exists():
    Path("crashed").touch()
    {CRASH}
Path(key).write_text("whole")
""".strip()
TELL = """
from stages.constant import VALUE
Path(key).write_text(json.dumps([sys.argv[1:], __name__, str(Path.cwd().name), os.environ["DVC_STAGE"], VALUE]))
""".strip()


def staged(root: Path, stages: dict[str, object], **modules: str) -> Path:
    """A project with our code and more stages; ``modules`` are their commands' bodies."""
    for package in ("pipeline", "stages"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "stages" / "constant.py").write_text("VALUE = 1\n")
    for name, text in modules.items():
        (root / "stages" / f"{name}.py").write_text(body(text))
    return project(root, stages)


def test_a_stage_that_crashed_is_begun_once_more(tmp_path: Path) -> None:
    root = staged(tmp_path / "p", {"once": {"cmd": "python -m stages.once out", "outs": ["out"]}}, once=ONCE)
    code, output = run(root)
    assert code == 0, output
    assert "[once] died of SIGSEGV, which nobody sends: begun once more" in output
    assert (root / "out").read_text() == "whole"


def test_one_that_crashes_each_time_stops_only_what_needs_it_and_its_stack_is_told(tmp_path: Path) -> None:
    stages = {
        "bad": {"cmd": "python -m stages.bad out", "outs": ["out"]},
        "after": {"cmd": "cat out > after", "deps": ["out"], "outs": ["after"]},
        "later": {"cmd": "cat after > later", "deps": ["after"], "outs": ["later"]},
        "good": {"cmd": "sleep 3; echo 1 > good", "outs": ["good"]},
        "fine": {"cmd": "cat good > fine", "deps": ["good"], "outs": ["fine"]},
    }
    root = staged(tmp_path / "p", stages, bad=CRASH)
    code, output = run(root, "--jobs", "2", "--keep-going")
    assert code == 1
    assert output.count("[bad] Fatal Python error: Segmentation fault") == 2
    assert f'File "{root}/stages/bad.py", line 10 in main' in output
    assert "[bad] failed: ended by SIGSEGV\n" in output
    assert output.splitlines()[-1] == "Error: failed: bad (ended by SIGSEGV); not run: after, later"
    assert list(yaml.safe_load((root / "dvc.lock").read_text())["stages"]) == ["good", "fine"]


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGTERM, signal.SIGKILL])
def test_only_signals_that_nobody_sends_are_a_reason_to_begin_again(tmp_path: Path, number: signal.Signals) -> None:
    """In a shell's command, too; what was killed on purpose stays dead."""
    root = project(tmp_path / "p", {"s": {"cmd": f"echo >> begun; kill -{int(number)} $$", "outs": ["never"]}})
    code, output = run(root)
    assert code == 1
    assert f"[s] failed: ended by {number.name}" in output
    assert (root / "begun").read_text() == "\n" * (2 if number == signal.SIGSEGV else 1)


def test_a_forked_stage_sees_what_python_m_sees_and_writes_the_same_lock(tmp_path: Path) -> None:
    stages = {"tell": {"cmd": "python -m stages.tell out", "deps": ["code"], "outs": ["out"]}}
    forked, plain = (staged(tmp_path / name / "p", stages, tell=TELL) for name in ("forked", "plain"))
    code, output = run(forked)
    assert code == 0, output
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        [sys.executable, "-m", "dvc", "repro", "-q"], cwd=plain, env=environment() | {"PATH": path}, check=True
    )
    assert (forked / "out").read_text() == (plain / "out").read_text() == '[["out"], "__main__", "p", "tell", 1]'
    assert (forked / "dvc.lock").read_bytes() == (plain / "dvc.lock").read_bytes()


def test_where_the_process_to_fork_from_is_gone_a_shell_runs_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: object) -> None:
        raise EOFError

    monkeypatch.setattr(forks._context.Process, "start", gone)
    assert forks.fork("python -m stages.tell out", ".", {}) is None
    assert forks.fork("echo 1 > out", ".", {}) is None, "nor is this a stage's command"


def test_code_that_changes_while_a_run_goes_on_is_the_code_that_later_stages_run(tmp_path: Path) -> None:
    """As the lock says: it takes a stage's code when the stage starts."""
    stages = {
        "old": {"cmd": "python -m stages.tell old", "deps": ["code"], "outs": ["old"]},
        "edit": {"cmd": "echo VALUE = 2 > stages/constant.py; touch edited", "deps": ["old"], "outs": ["edited"]},
        "new": {"cmd": "python -m stages.tell new", "deps": ["edited"], "outs": ["new"]},
    }
    root = staged(tmp_path / "p", stages, tell=TELL)
    code, output = run(root)
    assert code == 0, output
    assert [(root / name).read_text()[-2] for name in ("old", "new")] == ["1", "2"]


def test_sigterm_reaches_a_forked_stage_and_leaves_no_process(tmp_path: Path) -> None:
    wait = 'Path("began").touch()\ntime.sleep(60)'
    root = staged(tmp_path / "p", {"slow": {"cmd": "python -m stages.slow x", "outs": ["never"]}}, slow=wait)
    process = start(root)
    await_file(root / "began")
    family = psutil.Process(process.pid).children(recursive=True)
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=20)[0]
    assert process.returncode == 143, output
    assert time.monotonic() - asked < 10
    assert "[slow] failed: stopped" in output
    assert not [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
