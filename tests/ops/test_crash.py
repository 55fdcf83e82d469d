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

COMMAND = """
import json, os, signal, sys, time
from pathlib import Path
import click
from stages.shared.stage import Stage

@click.command(cls=Stage)
@click.argument("key")
def main(key: str) -> None:
    BODY

main()
"""
CRASH = "os.kill(os.getpid(), signal.SIGSEGV)"
ONCE = f"""
    if not Path("crashed").exists():
        Path("crashed").touch()
        {CRASH}
    Path(key).touch()
""".strip()
TELL = """
    from stages.constant import VALUE
    Path(key).write_text(json.dumps([sys.argv[1:], __name__, Path.cwd().name, os.environ["DVC_STAGE"], VALUE]))
""".strip()


def staged(root: Path, stages: dict[str, object], **bodies: str) -> Path:
    """A project with a copy of ``stages/``, a constant in it, and one module more for each of ``bodies``."""
    shutil.copytree(ROOT / "stages", root / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "stages/constant.py").write_text("VALUE = 1\n")
    for name, body in bodies.items():
        (root / f"stages/{name}.py").write_text(COMMAND.replace("BODY", body))
    return project(root, stages)


def test_one_that_crashes_is_begun_once_more_and_then_stops_only_what_needs_it(tmp_path: Path) -> None:
    stages = {
        "once": {"cmd": "python -m stages.once out", "outs": ["out"]},
        "bad": {"cmd": "python -m stages.bad never", "deps": ["out"], "outs": ["never"]},
        "after": {"cmd": "cat never > after", "deps": ["never"], "outs": ["after"]},
        "later": {"cmd": "cat after > later", "deps": ["after"], "outs": ["later"]},
        "good": {"cmd": "sleep 3; echo 1 > good", "outs": ["good"]},
        "fine": {"cmd": "cat good > fine", "deps": ["good"], "outs": ["fine"]},
    }
    root = staged(tmp_path / "p", stages, once=ONCE, bad=CRASH)
    code, output = run(root, "--jobs", "2", "--keep-going")
    assert code == 1
    assert "[once] died of SIGSEGV, which nobody sends: begun once more" in output
    assert output.count("[bad] Fatal Python error: Segmentation fault") == 2
    assert f'File "{root}/stages/bad.py", line 10 in main' in output
    assert "[bad] failed: ended by SIGSEGV\n" in output
    assert output.splitlines()[-1] == "Error: failed: bad (ended by SIGSEGV); not run: after, later"
    assert list(yaml.safe_load((root / "dvc.lock").read_text())["stages"]) == ["once", "good", "fine"]


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGTERM, signal.SIGKILL])
def test_only_signals_that_nobody_sends_are_a_reason_to_begin_again(tmp_path: Path, number: signal.Signals) -> None:
    """In a shell's command, too; what was killed on purpose stays dead."""
    root = project(tmp_path / "p", {"s": {"cmd": f"echo >> begun; kill -{int(number)} $$", "outs": ["never"]}})
    code, output = run(root)
    assert code == 1
    assert f"[s] failed: ended by {number.name}" in output
    assert (root / "begun").read_text() == "\n" * (2 if number == signal.SIGSEGV else 1)


def test_a_forked_stage_sees_what_python_m_sees_and_code_that_changed_meanwhile(tmp_path: Path) -> None:
    """As the lock says: it takes a stage's code when the stage starts."""
    stages = {
        "old": {"cmd": "python -m stages.tell old", "deps": ["code"], "outs": ["old"]},
        "edit": {"cmd": "echo VALUE = 2 > stages/constant.py; touch edited", "deps": ["old"], "outs": ["edited"]},
        "new": {"cmd": "python -m stages.tell new", "deps": ["edited"], "outs": ["new"]},
    }
    forked, plain = (staged(tmp_path / name / "p", stages, tell=TELL) for name in ("forked", "plain"))
    code, output = run(forked)
    assert code == 0, output
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "dvc", "repro", "-q"]
    subprocess.run(command, cwd=plain, env=environment() | {"PATH": path}, check=True)
    for name, value in {"old": 1, "new": 2}.items():
        assert (forked / name).read_text() == f'[["{name}"], "__main__", "p", "{name}", {value}]'
    assert (forked / "dvc.lock").read_bytes() == (plain / "dvc.lock").read_bytes()


def test_where_the_process_to_fork_from_is_gone_a_shell_runs_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: object) -> None:
        raise EOFError

    monkeypatch.setattr(forks._context.Process, "start", gone)
    assert forks.fork("python -m stages.tell out", ".", {}) is None
    assert forks.fork("echo 1 > out", ".", {}) is None, "nor is this a stage's command"


def test_sigterm_reaches_a_forked_stage_and_leaves_no_process(tmp_path: Path) -> None:
    wait = 'Path("began").touch(); time.sleep(60)'
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
