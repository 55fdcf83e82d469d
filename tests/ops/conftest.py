"""A small pipeline whose reports read a folder that others fill, as the real one's do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.ops.test_run import environment, project, run


def net(name: str) -> dict[str, Any]:
    fit = f"grep '^{name}' params.yaml > runs/{name}/net; cat d/train/x >> runs/{name}/net"
    score = f"cp runs/{name}/net eval/{name}/hist; cp runs/{name}/net eval/{name}/panels/1"
    return {
        f"train-{name}": {
            "cmd": f"mkdir -p runs/{name}; {fit}",
            "deps": ["d", "code"],
            "params": [name],
            "outs": [f"runs/{name}/net"],
        },
        f"evaluate-{name}": {
            "cmd": f"mkdir -p eval/{name}/panels; {score}; wc -c < runs/{name}/net > eval/{name}/metrics.json",
            "deps": [f"runs/{name}/net"],
            "outs": [f"eval/{name}/hist", f"eval/{name}/panels"],
            "metrics": [{f"eval/{name}/metrics.json": {"cache": False}}],
        },
    }


STAGES: dict[str, Any] = {
    "convert": {"cmd": "mkdir -p d/train d/val; cp code d/train/x; seq 100 > d/val/y", "deps": ["code"], "outs": ["d"]},
    **net("a"),
    **net("b"),
    "join": {"cmd": "cat eval/*/hist > joined", "deps": ["eval"], "outs": ["joined"]},
    "report": {
        "cmd": "cat eval/*/metrics.json > table",
        "deps": ["eval"],
        "outs": [{"table": {"cache": False}}],
    },
    "publish": {
        "cmd": "grep -c md5 dvc.lock > published",
        "deps": ["joined", "table"],
        "outs": [{"published": {"cache": False}}],
    },
}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world of ``world``, before anybody changes it: seconds to make, none to copy."""
    root = tmp_path_factory.mktemp("world")
    full = project(root / "full", STAGES)
    (full / ".gitignore").write_text("/d\n/runs\n/joined\n/published\nhist\npanels\n.seconds.tsv\n")
    (full / "params.yaml").write_text("runtime: {device: cpu, threads: 1}\na: 1\nb: 1\n")
    dvc(full, "remote", "add", "-d", "far", "../far")  # relative, so that each copy has its own
    code, output = run(full, "--jobs", "2")
    assert code == 0, output
    dvc(full, "push", "-q", "--run-cache")
    command(full, "git", "add", "-A")
    command(full, "git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "all of it")
    command(root, "git", "clone", "-q", "full", "clone")
    return root


@pytest.fixture
def world(made: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A project that ran and pushed to the folder ``far`` beside it, and a clone of it without data."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True, symlinks=True)
    assert [path.name for path in (tmp_path / "clone/eval/a").iterdir()] == ["metrics.json"]
    return tmp_path / "full", tmp_path / "clone"


def command(root: Path, *words: str) -> str:
    done = subprocess.run(words, cwd=root, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dvc(root: Path, *words: str) -> str:
    return command(root, sys.executable, "-m", "dvc", *words)
