"""fcn run --pull --allow-missing in clones without data: only what changed runs, and the lock is a full clone's."""

from __future__ import annotations

from pathlib import Path

from tests.ops.conftest import dvc
from tests.ops.test_run import run

NOTHING = "nothing to run: 8 stages unchanged\n"


def change(root: Path, name: str, before: str, after: str) -> None:
    (root / name).write_text((root / name).read_text().replace(before, after))


def cached(root: Path) -> list[Path]:
    """What DVC has in its cache."""
    return [path for path in (root / ".dvc/cache/files").rglob("*") if path.is_file()]


def ran(output: str) -> set[str]:
    return {line.split("]")[0][1:] for line in output.splitlines() if " done in " in line}


def test_a_clone_without_data_runs_what_changed_and_its_lock_is_a_full_clones(world: tuple[Path, Path]) -> None:
    full, clone = world
    lock = (clone / "dvc.lock").read_bytes()
    code, output = run(clone, "--pull", "--allow-missing", "--jobs", "2")
    assert (code, output) == (0, NOTHING)
    assert (clone / "dvc.lock").read_bytes() == lock
    assert not cached(clone)

    change(full, "params.yaml", "a: 1", "a: 22")
    change(clone, "params.yaml", "a: 1", "a: 22")
    assert run(full)[0] == 0
    code, output = run(clone, "--pull", "--allow-missing", "--jobs", "2")
    assert code == 0, output
    assert ran(output) == {"train-a", "evaluate-a", "join", "report", "publish"}
    assert (clone / "dvc.lock").read_bytes() == (full / "dvc.lock").read_bytes() != lock
    for name in ("joined", "table", "published"):
        assert (clone / name).read_bytes() == (full / name).read_bytes()
    assert not (clone / "runs/b").exists(), "nobody reads it"

    code, output = run(clone, "--pull", "--allow-missing")
    assert (code, output) == (0, NOTHING)


def test_a_run_that_the_remote_knows_is_restored(world: tuple[Path, Path]) -> None:
    full, clone = world
    change(full, "params.yaml", "a: 1", "a: 22")
    assert run(full, "train-a")[0] == 0
    dvc(full, "push", "-q", "--run-cache")
    change(clone, "params.yaml", "a: 1", "a: 22")
    code, output = run(clone, "--pull", "--allow-missing", "train-a")
    assert code == 0
    assert "[train-a] restored from the cache of runs" in output
    assert not ran(output)
    assert (clone / "runs/a/net").read_bytes() == (full / "runs/a/net").read_bytes()
    assert (clone / "dvc.lock").read_bytes() == (full / "dvc.lock").read_bytes()


def test_pull_alone_brings_all_and_dvc_repro_finds_nothing_to_do(world: tuple[Path, Path]) -> None:
    full, clone = world
    (clone / "published").write_bytes((full / "published").read_bytes())
    code, output = run(clone, "--pull")
    assert (code, output) == (0, NOTHING)
    assert (clone / "runs/b/net").read_bytes() == (full / "runs/b/net").read_bytes()
    assert (clone / "d/val/y").is_file()


def test_what_cannot_be_had_is_named(world: tuple[Path, Path]) -> None:
    _, clone = world
    dvc(clone, "remote", "remove", "far")
    assert run(clone, "--allow-missing") == (0, NOTHING)
    change(clone, "params.yaml", "a: 1", "a: 22")
    lock = (clone / "dvc.lock").read_bytes()
    code, output = run(clone, "--allow-missing")
    assert code == 1
    assert "Error: failed: train-a (it needs d: add --pull)" in output
    code, output = run(clone, "--pull", "--allow-missing")
    assert code == 1
    assert "d cannot be pulled (" in output
    assert (clone / "dvc.lock").read_bytes() == lock


def test_a_missing_file_that_git_keeps_is_asked_of_git(world: tuple[Path, Path]) -> None:
    _, clone = world
    (clone / "eval/b/metrics.json").unlink()
    change(clone, "dvc.yaml", "cat eval/*/metrics.json", "head eval/*/metrics.json")
    code, output = run(clone, "--pull", "--allow-missing", "report")
    assert code == 1
    assert "eval/b/metrics.json is not here, and git keeps it, not DVC: git checkout eval/b/metrics.json" in output
    assert not (clone / "eval/b/hist").exists()
