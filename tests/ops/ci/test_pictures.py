"""The branch of pictures: one commit, however often and by whoever it is written, and an untouched work tree."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ops.ci import _pictures
from ops.ci._forge import forge
from pipeline.core.types import Refusal

GITHUB = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "ada/fcn", "GITHUB_REF_NAME": "exp/lr"}
GITLAB = {"GITLAB_CI": "true", "CI_PROJECT_URL": "https://host/ada/fcn", "CI_COMMIT_REF_NAME": "lr"}


def git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    bare = tmp_path / "bare"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    return bare


def clone(remote: Path, name: str) -> Path:
    root = remote.parent / name
    subprocess.run(["git", "clone", "-q", str(remote), str(root)], check=True, capture_output=True)
    return root


def shown(remote: Path) -> set[str]:
    return set(git(remote, "ls-tree", "-r", "--name-only", "ci-pictures").split())


def test_a_folder_is_replaced_others_stay_and_the_branch_is_one_commit(remote: Path) -> None:
    root = clone(remote, "here")
    (root / "code").write_text("1")
    git(root, "add", "code")
    (root / ".git/hooks/pre-push").write_text("#!/bin/sh\nexit 1\n")
    (root / ".git/hooks/pre-push").chmod(0o755)
    (root / "4.png").write_bytes(b"\x89four")
    before = git(root, "status", "--porcelain=v2")
    _pictures.replace(root, "a", {"1.png": b"one", "2.png": b"two"})
    _pictures.replace(clone(remote, "there"), "b", {"3.png": b"three"})
    _pictures.replace(root, "a", {"4.png": b"\x89four"})
    assert shown(remote) == {"a/4.png", "b/3.png"}
    assert git(remote, "rev-list", "--count", "ci-pictures") == "1\n"
    done = subprocess.run(
        ["git", "-C", remote, "cat-file", "blob", "ci-pictures:a/4.png"], capture_output=True, check=True
    )
    assert done.stdout == b"\x89four"
    assert git(root, "status", "--porcelain=v2") == before
    assert not (root / ".git/shallow").exists()


def test_of_those_who_push_at_once_none_is_lost(remote: Path) -> None:
    roots = [clone(remote, name) for name in ("a", "b", "c")]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda root: _pictures.replace(root, root.name, {"1.png": root.name.encode()}), roots))
    assert shown(remote) == {"a/1.png", "b/1.png", "c/1.png"}
    assert git(remote, "rev-list", "--count", "ci-pictures") == "1\n"


def test_a_remote_that_takes_nothing_is_refused_at_once_and_told(
    remote: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = clone(remote, "here")
    hook = remote / "hooks/pre-receive"
    hook.write_text(f"#!/bin/sh\necho x >> {tmp_path}/asked\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Refusal, match="git push failed"):
        _pictures.replace(root, "a", {"1.png": b"one"})
    assert (tmp_path / "asked").read_text() == "x\n"
    assert _pictures.shown(root, forge(GITHUB), {"1.png": b"one"}, beside=None, push=True) is None
    assert "no pictures on ci-pictures: git push failed" in capsys.readouterr().err
    git(root, "remote", "set-url", "origin", "http://ada:s3cret@127.0.0.1:9/x")
    with pytest.raises(Refusal) as refusal:
        _pictures.replace(root, "a", {"1.png": b"one"})
    assert "s3cret" not in str(refusal.value)


def test_pages_find_them_on_a_host_or_beside_them(remote: Path, tmp_path: Path) -> None:
    root, pictures, beside = clone(remote, "here"), {"1.png": b"one"}, tmp_path / "report-pictures"
    url = _pictures.shown(root, forge(GITHUB), pictures, beside=beside, push=True)
    folder = _pictures.named("exp/lr")
    assert url == f"https://github.com/ada/fcn/raw/ci-pictures/{folder}"
    assert _pictures.shown(root, forge(GITLAB), pictures, beside=None, push=True) == (
        "https://host/ada/fcn/-/raw/ci-pictures/lr"
    )
    assert shown(remote) == {f"{folder}/1.png", "lr/1.png"}
    assert not beside.exists()
    assert _pictures.shown(root, forge({}), pictures, beside=beside, push=True) == "report-pictures"
    assert (beside / "1.png").read_bytes() == b"one"
    assert _pictures.shown(root, forge({}), pictures, beside=None, push=True) is None


def test_every_branch_has_a_folder_of_its_own() -> None:
    names = ["lr", "exp/lr", "exp-lr", "../..", "..", "a b", ".git", "ärger", ""]
    folders = [_pictures.named(name) for name in names]
    assert len(set(folders)) == len(names)
    assert folders[0] == "lr"
    assert not [folder for folder in folders if not folder or "/" in folder or folder.startswith(".")]
