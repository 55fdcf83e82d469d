"""The commit and what differs from it, or an honest "unknown"; and somebody who answers for it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pipeline.core.types import Refusal
from pipeline.tracking.commit import Commit, checked_out, user


def git(root: Path, *args: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", "-C", str(root), *identity, *args], check=True, capture_output=True)


def repository(root: Path) -> Path:
    for name in ("code.py", "dvc.lock", "eval.json"):
        (root / name).write_text(f"{name}\n")
    git(root, "init")
    git(root, "add", ".")
    git(root, "commit", "--message", "a")
    return root


def test_what_the_pipeline_wrote_is_no_dirt(tmp_path: Path) -> None:
    commit = checked_out(repository(tmp_path), [])
    assert (len(commit.sha), commit.dirty, commit.changes) == (40, "false", "")
    (tmp_path / "dvc.lock").write_text("other")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/table.md").write_text("new")
    assert checked_out(tmp_path, ["dvc.lock", "results"]).dirty == "false"


def test_an_edit_and_a_new_file_are_dirt_and_told(tmp_path: Path) -> None:
    repository(tmp_path)
    (tmp_path / "code.py").write_text("edited\n")
    (tmp_path / "new.py").write_text("")
    commit = checked_out(tmp_path, ["dvc.lock"])
    assert commit.dirty == "true"
    assert "?? new.py" in commit.changes
    assert "+edited" in commit.changes


def test_all_is_unknown_without_git_a_repository_or_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert checked_out(tmp_path, []) == Commit(sha="unknown", dirty="unknown", changes="")
    git(tmp_path, "init")
    assert checked_out(tmp_path, []) == Commit()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert checked_out(tmp_path, []) == Commit()


def test_a_user_is_named_by_hand_by_ci_or_by_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert user(tmp_path, {"FCN_USER": "ada", "GITHUB_ACTOR": "bot"}) == "ada"
    assert user(tmp_path, {"GITHUB_ACTOR": "bot"}) == "bot"
    for name in ("GLOBAL", "SYSTEM"):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", os.devnull)
    with pytest.raises(Refusal, match="nobody answers for this: set FCN_USER"):
        user(tmp_path, {})
    git(tmp_path, "init")
    git(tmp_path, "config", "user.name", "Ada L.")
    assert user(tmp_path, {}) == "Ada L."
