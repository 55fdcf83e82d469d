"""fcn run --pull --allow-missing in clones without data: what did not change stands, and the lock is a full clone's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.ops.test_run import environment, project, run


def net(name: str) -> dict[str, Any]:
    """A training and an evaluation, whose folders later stages read."""
    fit = f"grep '^{name}' params.yaml > runs/{name}/net; cat d/train/x >> runs/{name}/net"
    score = f"cp runs/{name}/net eval/{name}/hist; cp runs/{name}/net eval/{name}/panels/1"
    return {
        f"train-{name}": {
            "cmd": f"mkdir -p runs/{name}; {fit}",
            "deps": ["d/train"],
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
        "meta": {"pull": False},
    },
    "publish": {
        "cmd": "grep -c md5 dvc.lock > published",
        "deps": ["runs", "eval", "table"],
        "outs": [{"published": {"cache": False}}],
        "meta": {"pull": False},
    },
}


def command(root: Path, *words: str) -> str:
    done = subprocess.run(words, cwd=root, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dvc(root: Path, *words: str) -> str:
    return command(root, sys.executable, "-m", "dvc", *words)


def change(root: Path, name: str, before: str, after: str) -> None:
    (root / name).write_text((root / name).read_text().replace(before, after))


def world(tmp_path: Path) -> tuple[Path, Path]:
    """A project that ran, pushed to a folder beside it, and a clone of it without data."""
    full, clone = project(tmp_path / "full", STAGES), tmp_path / "clone"
    (full / ".gitignore").write_text("/d\n/runs\n/joined\n/published\nhist\npanels\n.seconds.tsv\n")
    (full / "params.yaml").write_text("runtime: {device: cpu, threads: 1}\na: 1\nb: 1\n")
    dvc(full, "remote", "add", "-d", "far", str(tmp_path / "far"))
    code, output = run(full, "--jobs", "2")
    assert code == 0, output
    dvc(full, "push", "-q", "--run-cache")
    command(full, "git", "add", "-A")
    command(full, "git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "all of it")
    command(tmp_path, "git", "clone", "-q", "full", "clone")
    assert sorted(path.name for path in (clone / "eval/a").iterdir()) == ["metrics.json"]
    return full, clone


def cached(root: Path) -> list[Path]:
    """What DVC has in its cache, but for listings of folders, which are no data."""
    return [path for path in (root / ".dvc/cache/files").rglob("*") if path.is_file() and path.suffix != ".dir"]


def test_a_clone_without_data_runs_what_changed_and_its_lock_is_a_full_clones(tmp_path: Path) -> None:
    full, clone = world(tmp_path)
    lock = (clone / "dvc.lock").read_bytes()
    code, output = run(clone, "--pull", "--allow-missing", "--jobs", "2")
    assert (code, output) == (0, "nothing is left to do\n")
    assert (clone / "dvc.lock").read_bytes() == lock
    assert not cached(clone)

    change(full, "params.yaml", "a: 1", "a: 22")
    change(clone, "params.yaml", "a: 1", "a: 22")
    assert run(full)[0] == 0
    code, output = run(clone, "--pull", "--allow-missing", "--jobs", "2")
    assert code == 0, output
    ran = {line.split("]")[0][1:] for line in output.splitlines() if line.endswith(" s")}
    assert ran == {"train-a", "evaluate-a", "join", "report", "publish"}
    assert (clone / "dvc.lock").read_bytes() == (full / "dvc.lock").read_bytes() != lock
    assert (clone / "joined").read_bytes() == (full / "joined").read_bytes()
    assert (clone / "published").read_bytes() == (full / "published").read_bytes()
    assert not (clone / "runs/b").exists(), "publish does without"
    assert not (clone / "d/val").exists(), "nobody reads it"

    code, output = run(clone, "--pull", "--allow-missing")
    assert (code, output) == (0, "nothing is left to do\n")


def test_a_run_that_the_remote_knows_is_restored_and_its_inputs_are_not_pulled(tmp_path: Path) -> None:
    full, clone = world(tmp_path)
    change(full, "params.yaml", "a: 1", "a: 22")
    assert run(full, "train-a")[0] == 0
    dvc(full, "push", "-q", "--run-cache")
    change(clone, "params.yaml", "a: 1", "a: 22")
    code, output = run(clone, "--pull", "--allow-missing", "train-a")
    assert (code, output) == (0, "[train-a] restored from the cache of runs\nnothing is left to do\n")
    assert not (clone / "d").exists()
    assert (clone / "runs/a/net").read_bytes() == (full / "runs/a/net").read_bytes()
    assert (clone / "dvc.lock").read_bytes() == (full / "dvc.lock").read_bytes()


def test_pull_alone_brings_all_and_dvc_repro_finds_nothing_to_do(tmp_path: Path) -> None:
    full, clone = world(tmp_path)
    (clone / "published").write_bytes((full / "published").read_bytes())
    code, output = run(clone, "--pull")
    assert (code, output) == (0, "dvc repro finds nothing to do\n")
    assert (clone / "runs/b/net").read_bytes() == (full / "runs/b/net").read_bytes()
    assert (clone / "d/val/y").is_file()


def test_what_cannot_be_had_is_named(tmp_path: Path) -> None:
    _, clone = world(tmp_path)
    dvc(clone, "remote", "remove", "far")
    code, output = run(clone, "--allow-missing")
    assert code == 0
    assert "[report] taken as unchanged, for nobody here knows all that lies in eval" in output
    change(clone, "params.yaml", "a: 1", "a: 22")
    lock = (clone / "dvc.lock").read_bytes()
    code, output = run(clone, "--allow-missing")
    assert code == 1
    assert "Error: failed: train-a (it needs d/train: add --pull)" in output
    code, output = run(clone, "--pull", "--allow-missing")
    assert code == 1
    assert "no remote specified" in output
    assert (clone / "dvc.lock").read_bytes() == lock
