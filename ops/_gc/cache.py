"""Objects and runs in DVC's cache that no dvc.lock names: of the work tree, a branch, a tag or an experiment."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml
from dvc.repo import Repo
from dvc.rwlock import RWLOCK_FILE

from ops._git import answer, asked, git
from ops._locks import holders
from pipeline.core.types import Refusal
from pipeline.orphan import Orphan, measure
from stages.shared.dvc import LOADER

REFS = ("refs/heads", "refs/tags", "refs/exps", "refs/stash")  # the third are DVC's experiments
OBJECT, RUN = "cache", "run cache"
WHY = "no dvc.lock of the work tree, a branch, a tag or an experiment names it"


@dataclass(frozen=True)
class _Runs:
    """The run cache: entries to keep and not, and the paths of the outputs that any of them names, by hash."""

    orphans: list[Orphan] = field(default_factory=list)
    paths: dict[str, str] = field(default_factory=dict)


def untouchable(repo: Repo) -> str:
    """Why nobody may delete from the cache now; empty: somebody may."""
    cache = Path(repo.cache.local_cache_dir)
    if not cache.is_relative_to(repo.root_dir):
        return f"{cache} lies outside of this clone, others may use it"
    tmp = Path(repo.tmp_dir)
    locks = [tmp / RWLOCK_FILE, *tmp.glob(f"exps/*/.dvc/tmp/{RWLOCK_FILE}")]  # those of `dvc exp run --temp`, too
    alive = sorted(pid for lock in locks for pid in _holders(lock) if psutil.pid_exists(pid))
    return f"stages run (process {alive[0]})" if alive else ""


def orphans(repo: Repo) -> list[Orphan]:
    """What `dvc gc` would remove, less what dvc.lock still has of another scale, and the runs that it would leave.

    A run whose outputs are gone restores nothing (treeverse/dvc#9420). Outputs that git keeps are objects too, for
    the run that restores them; `dvc gc` takes them.
    """
    named = _named(Path(repo.root_dir))
    runs = _runs(repo, named)
    used = {*named, *(md5 for each in named for md5, _ in _inside(repo, each))}
    unused = [oid for oid in repo.cache.local.all() if oid not in used]
    paths = dict(runs.paths)
    for oid in unused:
        paths |= {md5: f"{paths.get(oid, '')}/{name}".lstrip("/") for md5, name in _inside(repo, oid)}
    return [*(_object(repo, oid, paths.get(oid, "")) for oid in unused), *runs.orphans]


def remove(repo: Repo, chosen: Iterable[Orphan]) -> None:
    """Runs first: none is ever left whose outputs are gone."""
    for orphan in sorted(chosen, key=lambda orphan: orphan.kind != RUN):
        if orphan.kind == OBJECT:
            repo.cache.local.delete(orphan.id)
        elif orphan.kind == RUN:
            path = Path(orphan.id)
            path.unlink(missing_ok=True)
            with suppress(OSError):  # another run of the same inputs, or of the same first digits
                path.parent.rmdir()
                path.parent.parent.rmdir()


def _holders(lock: Path) -> set[int]:
    """The processes that DVC's ``lock`` tells of, dead ones among them."""
    try:
        told = json.loads(lock.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return set()
    return {row["pid"] for row in holders(told) if row}


def _named(root: Path) -> set[str]:
    """The hashes of all outputs that are named anywhere; a folder's is its listing's.

    Also of stages that dvc.yaml has no more, as another scale's, which `dvc gc` would not know.
    """
    revisions = git(root, "for-each-ref", "--format=%(objectname)", *REFS).split()
    revisions += [head for head in [asked(root, "rev-parse", "--verify", "-q", "HEAD")] if head]
    blobs: dict[str, str] = {}
    for revision in dict.fromkeys(revisions):
        for row in git(root, "ls-tree", "-r", "-z", revision).split("\0"):
            about, _, path = row.partition("\t")
            if _tells(path):
                blobs.setdefault(about.split()[2], f"{path} of {revision[:7]}")
    texts = [(where, answer(root, "cat-file", "blob", blob)) for blob, where in blobs.items()]
    here = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    texts += [(path, (root / path).read_bytes()) for path in here if _tells(path) and (root / path).is_file()]
    return {md5 for where, text in texts for md5 in _locked(where, text)}


def _tells(path: str) -> bool:
    """Whether DVC writes into files of that name what outputs are."""
    return Path(path).name == "dvc.lock" or path.endswith(".dvc")


def _locked(where: str, text: bytes) -> list[str]:
    try:
        tree = yaml.load(text, Loader=LOADER) or {}
        entries = (tree.get("stages") or {}).values() if where.partition(" ")[0].endswith(".lock") else [tree]
        return [md5 for entry in entries for md5 in _outs(entry)]
    except (yaml.YAMLError, AttributeError, TypeError):
        raise Refusal(f"{where} cannot be read, so nobody knows what it needs: mend it first") from None


def _outs(entry: Any) -> list[str]:
    return [str(row.get(row.get("hash", "md5"), "")) for row in entry.get("outs") or ()]


def _runs(repo: Repo, named: set[str]) -> _Runs:
    found = _Runs()
    for path in sorted(Path(repo.cache.legacy.path, "runs").glob("*/*/*")):
        try:
            entry = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
            outs = _outs(entry)
        except (OSError, ValueError, yaml.YAMLError, AttributeError):
            continue  # being written, or DVC's to complain of
        found.paths.update(zip(outs, (row["path"] for row in entry.get("outs") or ()), strict=True))
        if lost := [md5 for md5 in outs if md5 not in named]:
            size, changed = measure([path])
            why = f"what it wrote, {found.paths[lost[0]]}, is named by no dvc.lock any more"
            found.orphans.append(
                Orphan(kind=RUN, id=str(path), name=str(entry["cmd"]), bytes=size, changed=changed, why=why)
            )
    return found


def _inside(repo: Repo, md5: str) -> list[tuple[str, str]]:
    """The hashes and names of the files in a folder whose listing is in the cache."""
    if not md5.endswith(".dir"):
        return []
    try:
        rows = json.loads(Path(repo.cache.local.oid_to_path(md5)).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return []
    return [(row["md5"], row["relpath"]) for row in rows]


def _object(repo: Repo, oid: str, path: str) -> Orphan:
    size, changed = measure([Path(repo.cache.local.oid_to_path(oid))])
    name = f"{oid[:8]} {path}".strip()
    return Orphan(kind=OBJECT, id=oid, name=name, bytes=size, changed=changed, why=WHY)
