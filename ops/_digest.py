"""DVC's own hash of a file or folder, told without touching a DVC repository's cache, state or locks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dvc.fs import LocalFileSystem
from dvc.ignore import DvcIgnoreFilter
from dvc_data.hashfile.build import build
from dvc_data.hashfile.db import HashFileDB
from dvc_data.hashfile.tree import Tree

CACHE = ".dvc/cache/files/md5"


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
