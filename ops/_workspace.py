"""A workspace of its own for stages that run again: git's files as they are now, and what other stages wrote."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from dvc.fs import LocalFileSystem
from dvc.ignore import DvcIgnoreFilter
from dvc_data.hashfile.build import build
from dvc_data.hashfile.db import HashFileDB
from dvc_data.hashfile.tree import Tree

from ops._git import git
from pipeline.core.types import Refusal
from stages.shared.dvc import Entry, entries, overlap

CACHE = ".dvc/cache/files/md5"


@contextmanager
def workspace(root: Path, chosen: Collection[Entry]) -> Iterator[Path]:
    """A temporary folder in which ``chosen`` can run: ``root``'s tracked files without their outputs, and their inputs.

    Inputs are copied, never linked, so that no stage can reach ``root``'s. The folder lies under ``TMPDIR`` and is
    removed in the end.

    Raises Refusal where ``root`` is no git repository, and for an input that is absent or not what dvc.lock says.
    """
    made = [out for entry in chosen for out in entry.outs]
    with tempfile.TemporaryDirectory(prefix="fcn-verify-") as temporary:
        folder = Path(temporary)
        for name in git(root, "ls-files", "-z").split("\0"):
            if (root / name).is_file() and not any(PurePosixPath(name).is_relative_to(out) for out in made):
                _copy(root, folder, name)
        for path, md5 in _inputs(root, folder, chosen).items():
            _bring(root, folder, path, md5)
        yield folder


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
    if differs := difference(path, locked(root, path, md5), digest(folder, path)):
        raise Refusal(f"{path} differs from dvc.lock ({differs}): run dvc repro or dvc checkout")


def _copy(root: Path, folder: Path, path: str) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    if (root / path).is_dir():
        shutil.copytree(root / path, folder / path, dirs_exist_ok=True)
    else:
        shutil.copy2(root / path, folder / path)


@dataclass(frozen=True)
class Digest:
    """``md5`` as dvc.lock writes it (a folder's ends in ``.dir``); of a folder also each file's, by its path inside."""

    md5: str
    files: Mapping[str, str] = field(default_factory=dict)


def digest(root: Path, path: str) -> Digest | None:
    """What ``root/path`` is now, less what ``root``'s .dvcignore names; None where there is nothing."""
    here = root / path
    if not here.exists():
        return None
    local = LocalFileSystem()
    unused = HashFileDB(local, str(root / CACHE))  # a dry run writes nothing there
    _, _, built = build(unused, str(here), local, "md5", ignore=DvcIgnoreFilter(local, str(root)), dry_run=True)
    files = {"/".join(key): of.value for key, _, of in built} if isinstance(built, Tree) else {}
    return Digest(str(built.hash_info.value), files)


def locked(root: Path, path: str, md5: str) -> Digest:
    """What dvc.lock's ``md5`` of ``path`` stands for; its files are told where cache or workspace still hold them."""
    listing = root / CACHE / md5[:2] / md5[2:]
    if md5.endswith(".dir") and listing.is_file():
        return Digest(md5, {row["relpath"]: row["md5"] for row in json.loads(listing.read_text(encoding="utf-8"))})
    now = digest(root, path)
    return now if now is not None and now.md5 == md5 else Digest(md5)


def difference(path: str, wanted: Digest, found: Digest | None) -> str:
    """``path``, or the first file in it, with both hashes; empty where they are equal."""
    if found is not None and found.md5 == wanted.md5:
        return ""
    before, after, name = wanted.md5, found.md5 if found else "", path
    if wanted.files and found is not None:
        first = min(name for name in {*wanted.files, *found.files} if wanted.files.get(name) != found.files.get(name))
        before, after, name = wanted.files.get(first, ""), found.files.get(first, ""), f"{path}/{first}"
    return f"{name}: {_short(before)} in dvc.lock, {_short(after)} here"


def _short(md5: str) -> str:
    return f"{md5[:8]}…" if md5 else "none"
