"""A workspace of its own for stages that run again: git's files as they are now, and what other stages wrote."""

import json
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from dvc.fs import LocalFileSystem
from dvc.ignore import DvcIgnoreFilter
from dvc_data.hashfile.build import build
from dvc_data.hashfile.db import HashFileDB
from dvc_data.hashfile.tree import Tree

from pipeline.core.types import Refusal
from pipeline.tracking.git import git
from stages.shared.dvc import Entry, entries, overlap

CACHE = ".dvc/cache/files/md5"


@contextmanager
def workspace(root: Path, chosen: Collection[Entry]) -> Iterator[Path]:
    """A temporary folder in which ``chosen`` can run: ``root``'s tracked files without their outputs, and their inputs.

    Inputs are copied, never linked, so that no stage can reach ``root``'s. The folder lies under ``TMPDIR``.

    Raises Refusal where ``root`` is no git repository, and for an input that is absent or not what dvc.lock says.
    """
    made = tuple(f"{out}/" for entry in chosen for out in entry.outs)
    with tempfile.TemporaryDirectory(prefix="fcn-verify-") as temporary:
        folder = Path(temporary)
        for name in git(root, "ls-files", "-z").split("\0"):
            if (root / name).is_file() and not f"{name}/".startswith(made):
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
    if differs := difference(path, locked(root, path, md5), hashes(folder, path)):
        raise Refusal(f"{path} differs from dvc.lock ({differs}): run dvc repro or dvc checkout")


def _copy(root: Path, folder: Path, path: str) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    if (root / path).is_dir():
        shutil.copytree(root / path, folder / path, dirs_exist_ok=True)
    else:
        shutil.copy2(root / path, folder / path)


def hashes(root: Path, path: str) -> dict[str, str]:
    """{path: md5} as dvc.lock would have it of ``root/path`` now, then of each file in a folder; {} where it is absent.

    What ``root``'s .dvcignore names does not count.
    """
    here = root / path
    if not here.exists():
        return {}
    local = LocalFileSystem()
    unused = HashFileDB(local, str(root / CACHE))  # a dry run writes nothing there
    _, _, built = build(unused, str(here), local, "md5", ignore=DvcIgnoreFilter(local, str(root)), dry_run=True)
    files = {"/".join((path, *key)): of.value for key, _, of in built} if isinstance(built, Tree) else {}
    return {path: str(built.hash_info.value), **files}


def locked(root: Path, path: str, md5: str) -> dict[str, str]:
    """As ``hashes``, of dvc.lock's ``md5``; its files are told where cache or workspace still hold them."""
    listing = root / CACHE / md5[:2] / md5[2:]
    if md5.endswith(".dir") and listing.is_file():
        rows = json.loads(listing.read_text(encoding="utf-8"))
        return {path: md5, **{f"{path}/{row['relpath']}": row["md5"] for row in rows}}
    now = hashes(root, path)
    return now if now.get(path) == md5 else {path: md5}


def difference(path: str, wanted: Mapping[str, str], found: Mapping[str, str]) -> str:
    """``path``, or the first file in it, with both hashes; empty where they are equal."""
    if found.get(path) == wanted[path]:
        return ""
    inside = sorted({*wanted, *found} - {path}) if len(wanted) > 1 and found else []
    name = next((name for name in inside if wanted.get(name) != found.get(name)), path)
    before, after = (f"{md5[:8]}…" if md5 else "none" for md5 in (wanted.get(name), found.get(name)))
    return f"{name}: {before} in dvc.lock, {after} here"
