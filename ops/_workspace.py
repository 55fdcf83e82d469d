"""A workspace of its own for stages that run again: git's files as they are now, and what other stages wrote."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ops._digest import difference, digest, locked
from ops._git import git
from pipeline.core.types import Refusal
from stages.shared.dvc import Entry, entries, overlap


@contextmanager
def workspace(root: Path, chosen: Collection[Entry], keep: bool) -> Iterator[Path]:
    """A temporary folder in which ``chosen`` can run: ``root``'s tracked files without their outputs, and their inputs.

    Inputs are copied, never linked, so that no stage can reach ``root``'s. The folder lies under ``TMPDIR`` and is
    removed in the end, unless ``keep``.

    Raises Refusal where ``root`` is no git repository, and for an input that is absent or not what dvc.lock says.
    """
    folder = Path(tempfile.mkdtemp(prefix="fcn-verify-"))
    try:
        for name in git(root, "ls-files", "-z").split("\0"):
            if (root / name).is_file():
                _copy(root, folder, name)
        for entry in chosen:
            for out in entry.outs:
                _remove(folder / out)
        for path, md5 in _inputs(root, folder, chosen).items():
            _bring(root, folder, path, md5)
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder)


def _inputs(root: Path, folder: Path, chosen: Collection[Entry]) -> dict[str, str]:
    """What ``chosen`` read but do not write and git does not bring, with the hash that dvc.lock has for it."""
    made = [out for entry in chosen for out in entry.outs]
    others = {out: md5 for entry in entries(root).values() if entry not in chosen for out, md5 in entry.outs.items()}
    found: dict[str, str] = {}
    for dep, md5 in ((dep, md5) for entry in chosen for dep, md5 in entry.deps.items()):
        if any(overlap(dep, out) for out in made):  # all of it is written again, or a part of the folder
            found |= {out: written for out, written in others.items() if PurePosixPath(out).is_relative_to(dep)}
        elif any(overlap(dep, out) for out in others) or ((root / dep).exists() and not (folder / dep).exists()):
            found[dep] = md5  # code that git no longer has is not missed here: what it meant, the rerun tells
    return found


def _bring(root: Path, folder: Path, path: str, md5: str) -> None:
    if ".." in PurePosixPath(path).parts:
        raise Refusal(f"{path} lies outside the repository: write it as an absolute path, and verify finds it")
    if not (root / path).exists():
        raise Refusal(f"{path} is missing: run dvc repro or dvc checkout")
    if not PurePosixPath(path).is_absolute():
        _copy(root, folder, path)
    if told := difference(path, locked(root, path, md5), digest(folder, path)):
        raise Refusal(f"{path} differs from dvc.lock ({told}): run dvc repro or dvc checkout")


def _copy(root: Path, folder: Path, path: str) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    if (root / path).is_dir():
        shutil.copytree(root / path, folder / path, dirs_exist_ok=True)
    else:
        shutil.copy2(root / path, folder / path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
