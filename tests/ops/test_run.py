"""fcn run on real DVC projects: the lock of `dvc repro`, in less time, and no process left when it is told to stop."""

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

from ops._repro.order import Order
from tests.closure import ROOT
from tests.launch import git

DIAMOND = {
    "data": {"cmd": "echo 1 > data", "deps": ["code"], "outs": ["data"]},
    "b": {"cmd": "date +%s%N > b.log; sleep 2; cat data > b; date +%s%N >> b.log", "deps": ["data"], "outs": ["b"]},
    "a": {"cmd": "date +%s%N > a.log; sleep 2; cat data > a; date +%s%N >> a.log", "deps": ["data"], "outs": ["a"]},
    "both": {"cmd": "cat a b > both", "deps": ["a", "b"], "outs": ["both"]},
    "publish": {"cmd": "grep -c md5 dvc.lock > published", "deps": ["both"]},
}


def project(root: Path, stages: dict[str, object]) -> Path:
    root.mkdir(exist_ok=True)
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
    (root / "params.yaml").write_text("runtime: {device: cpu, threads: 1}\n")
    (root / "code").write_text("1\n")
    git(root, "init", "-q")
    dvc(root, "init", "-q")
    return root


def dvc(root: Path, *words: str, **variables: str) -> str:
    """What ``dvc WORDS`` prints in ``root``, where it must succeed."""
    command, known = [sys.executable, "-m", "dvc", *words], environment() | variables
    done = subprocess.run(command, cwd=root, env=known, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DVC_")}
    return {**kept, "PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1", "SHELL": "/bin/sh"}


def start(root: Path, *arguments: str) -> subprocess.Popen[str]:
    command, out = [sys.executable, "-m", "ops.fcn", "run", *arguments], subprocess.PIPE
    return subprocess.Popen(command, cwd=root, env=environment(), stdout=out, stderr=subprocess.STDOUT, text=True)


def run(root: Path, *arguments: str) -> tuple[int, str]:
    process = start(root, *arguments)
    output = process.communicate(timeout=60)[0]
    return process.returncode, output


def test_the_lock_is_the_serial_one_and_stages_ran_side_by_side(tmp_path: Path) -> None:
    serial, parallel = project(tmp_path / "serial", DIAMOND), project(tmp_path / "parallel", DIAMOND)
    dvc(serial, "repro", "-q")
    code, output = run(parallel, "--jobs", "2")
    assert code == 0, output
    assert (parallel / "dvc.lock").read_bytes() == (serial / "dvc.lock").read_bytes()
    assert (parallel / "published").read_text() == (serial / "published").read_text()
    spans = [[int(line) for line in (parallel / f"{name}.log").read_text().split()] for name in "ab"]
    assert max(begin for begin, _ in spans) < min(end for _, end in spans)

    code, output = run(parallel, "--jobs", "2")
    assert code == 0
    assert output == "nothing to run: 5 stages unchanged\n"

    (parallel / "code").write_text("2\n")
    git(parallel, "status")
    code, output = run(parallel, "--jobs", "2")
    assert code == 0
    assert "[data]" in output
    assert "[both]" not in output, "data came out as before"

    (parallel / "a").unlink()
    (parallel / "dvc.lock").unlink()
    code, output = run(parallel, "--jobs", "2", "a")
    assert code == 0
    assert "[a] restored from the cache of runs" in output
    assert (parallel / "a").read_text() == "1\n"


def test_a_failure_is_named_and_what_ran_beside_it_is_kept(tmp_path: Path) -> None:
    stages = {
        "bad": {"cmd": "sleep 1; echo no such thing; exit 3", "outs": ["bad"]},
        "good": {"cmd": "sleep 2; echo 1 > good", "outs": ["good"]},
        "after": {"cmd": "touch after", "deps": ["bad"], "outs": ["after"]},
    }
    root = project(tmp_path / "project", stages)
    code, output = run(root, "--jobs", "2")
    assert code == 1
    assert "[bad] no such thing" in output
    assert "Error: failed: bad (exit 3); not run: after" in output
    assert list(yaml.safe_load((root / "dvc.lock").read_text())["stages"]) == ["good"]


def test_each_gpu_has_one_stage_at_a_time(tmp_path: Path) -> None:
    stages = {
        name: {"cmd": f"echo $CUDA_VISIBLE_DEVICES > {name}; sleep 1", "params": ["runtime"], "outs": [name]}
        for name in ("a", "b", "c", "d")
    }
    root = project(tmp_path / "project", stages)
    code, output = run(root, "--gpus", "4,7")
    assert code == 0, output
    assert sorted((root / name).read_text().strip() for name in stages) == ["4", "4", "7", "7"]


def test_beside_a_gpu_downloads_have_slots_of_their_own_and_fail_before_any_training(tmp_path: Path) -> None:
    """All at once, however many: a broken one is told at once, whatever the others take."""
    train = {"cmd": "echo trained > net", "params": ["runtime"], "deps": ["d0"], "outs": ["net"]}
    stages: dict[str, object] = {"train": train}
    stages |= {f"d{name}": {"cmd": f"sleep 3; touch d{name}", "outs": [f"d{name}"]} for name in range(5)}
    stages["broken"] = {"cmd": "exit 1", "outs": ["broken"]}
    root = project(tmp_path / "project", stages)
    (root / "params.yaml").write_text("runtime: {device: cuda, threads: 1}\n")
    code, output = run(root, "--keep-going")
    assert code == 1
    lines = output.splitlines()
    (done,) = (place for place, line in enumerate(lines) if line.startswith("[d0] done in 3 s, 0 s of CPU, "))
    assert lines.index("[broken] failed: exit 1") < done < lines.index("[train] echo trained > net")


def test_wrong_calls_say_what_is_wrong(tmp_path: Path) -> None:
    root = project(tmp_path / "project", DIAMOND)
    assert run(root, "bothh") == (1, "Error: no stage bothh: did you mean 'both'?\n")
    code, output = run(root, "--jobs", "2", "--pull", "--dry")
    assert code == 2
    assert "--jobs and --gpus go without dvc repro's own options: --dry" in output


def await_file(path: Path) -> None:
    until = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < until, f"no {path.name} in 30 s"
        time.sleep(0.1)


def stopped(root: Path, *arguments: str) -> str:
    """What fcn run prints once it hears SIGTERM: it ends in time, and so does all that it started."""
    process = start(root, *arguments)
    await_file(root / "began")
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 2
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=20)[0]
    assert process.returncode == 143, output
    assert not [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    return output


@pytest.mark.parametrize("arguments", [("--jobs", "2"), ("--verbose",)], ids=["parallel", "serial"])
def test_sigterm_leaves_no_process_and_a_lock_of_what_is_done(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    stages = {
        "data": {"cmd": "echo 1 > data", "outs": ["data"]},
        "slow": {"cmd": "touch began; sleep 60; touch slow", "deps": ["data"], "outs": ["slow"]},
        "slower": {"cmd": "sleep 61; touch slower", "deps": ["slow"], "outs": ["slower"]},
    }
    root = project(tmp_path / "project", stages)
    stopped(root, *arguments)
    assert list(yaml.safe_load((root / "dvc.lock").read_text())["stages"]) == ["data"]


def test_a_command_deaf_to_sigterm_is_killed(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); open('began', 'w'); time.sleep(60)"
    root = project(tmp_path / "project", {"deaf": {"cmd": f'{sys.executable} -c "{deaf}"', "outs": ["never"]}})
    assert "killed what was left" in stopped(root)


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
    dvc(plain, "repro", "-q", PATH=path)
    for name, value in {"old": 1, "new": 2}.items():
        assert (forked / name).read_text() == f'[["{name}"], "__main__", "p", "{name}", {value}]'
    assert (forked / "dvc.lock").read_bytes() == (plain / "dvc.lock").read_bytes()


def test_sigterm_reaches_a_forked_stage_and_leaves_no_process(tmp_path: Path) -> None:
    wait = 'Path("began").touch(); time.sleep(60)'
    root = staged(tmp_path / "p", {"slow": {"cmd": "python -m stages.slow x", "outs": ["never"]}}, slow=wait)
    assert "[slow] failed: stopped" in stopped(root)


LADDER = {
    "download": [],
    "pretrain": [],
    "convert": ["download"],
    "train32": ["convert", "pretrain"],
    "train16": ["train32"],
    "evaluate32": ["train32"],
    "evaluate16": ["train16"],
}


def test_what_can_fail_at_once_goes_first_then_what_is_nearest_to_a_score() -> None:
    """A net is scored as soon as it is trained."""
    long = {stage for stage in LADDER if stage.startswith(("pretrain", "train", "evaluate"))}
    order, done = Order(list(LADDER), LADDER, long=long), list[str]()
    while (stage := order.next(done, done)) is not None:
        done.append(stage)
    assert done == ["download", "convert", "pretrain", "train32", "evaluate32", "train16", "evaluate16"]
    assert order.next({"download"}, set()) == "pretrain", "convert waits for its archive"
    assert order.next({"download"}, {"download"}, fits=long.__contains__) == "pretrain", "there is room for such alone"
