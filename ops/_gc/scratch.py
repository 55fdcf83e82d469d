"""Scratch that nobody goes on from: snapshots, spools, parts of downloads, proofs, workspaces, copies of databases."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from dvc.repo import Repo

from ops import _workspace
from pipeline import proof
from pipeline.core.types import Refusal
from pipeline.fetch import archives
from pipeline.orphan import Orphan, orphan_at
from pipeline.tracking import spool
from pipeline.tracking import uri as store
from stages.shared import dvc

SNAPSHOT, SPOOL, DOWNLOAD, PROOF, WORKSPACE, COPY = "snapshot", "spool", "download", "proof", "workspace", "database"
KINDS = (SNAPSHOT, SPOOL, DOWNLOAD, PROOF, WORKSPACE, COPY)
RECENT = 600.0  # seconds: what was written since is perhaps written on; snapshots come every minute
REVISION = re.compile(r"\.([0-9a-f]{12}|None)")  # alembic's, which follows a database's name in that of its copy


def orphans(repo: Repo) -> list[Orphan]:
    """In the root of ``repo``, and the workspaces of `fcn verify` under TMPDIR."""
    root = Path(repo.root_dir)
    snapshots, kept = _snapshots(repo, root)
    found = [
        *snapshots,
        *(orphan_at(folder, SPOOL, root, "sent whole, and no snapshot to go on from") for folder in _spools(kept)),
        *(
            orphan_at(part, DOWNLOAD, root, "a download that stopped")
            for part in (root / archives.STORE).glob("*.part")
        ),
        *(orphan_at(folder, WORKSPACE, root, "fcn verify kept it, or was killed") for folder in _workspace.abandoned()),
        *(orphan_at(copy, COPY, root, "kept before a schema was upgraded") for copy in _copies(root)),
    ]
    return [*(each for each in found if time.time() - each.changed > RECENT), *_proofs(root)]


def remove(chosen: Iterable[Orphan]) -> None:
    for orphan in (each for each in chosen if each.kind in KINDS):
        path = Path(orphan.id)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        if orphan.kind in (SNAPSHOT, SPOOL):
            with suppress(OSError):  # the stage has another
                path.parent.rmdir()


def _snapshots(repo: Repo, root: Path) -> tuple[list[Orphan], set[tuple[str, ...]]]:
    """Those that nobody goes on from, and stage and fingerprint of the others."""
    place = root / os.environ.get("FCN_SNAPSHOTS", ".snapshots")
    found, kept = [], set()
    for folder in sorted(path for path in place.glob("*/*") if path.is_dir()):
        from ops._gc import snapshots  # it loads torch

        work = folder.parts[-2:]
        why = "" if spool.alive(spool.place().joinpath(*work)) else snapshots.unneeded(repo, folder)
        if why:
            found.append(orphan_at(folder, SNAPSHOT, root, why))
        else:
            kept.add(work)
    return found, kept


def _spools(kept: Collection[tuple[str, ...]]) -> Iterator[Path]:
    for folder in spool.spools(spool.place()):
        if folder.parts[-2:] not in kept and not spool.alive(folder) and not spool.has_news(folder):
            yield folder


def _proofs(root: Path) -> Iterator[Orphan]:
    """Of other inputs or outputs than dvc.lock's; without dvc.lock nobody can tell."""
    try:
        found = dvc.entries(root)
    except Refusal:
        return
    for path in sorted((root / proof.FOLDER).glob("*.json")):
        entry = found.get(path.stem)
        kept = proof.read(root, path.stem)
        if entry is None or proof.lacking(kept, entry.stage, entry.inputs, entry.outputs):
            why = "dvc.lock has another entry by now" if entry else "dvc.lock has no such stage"
            yield orphan_at(path, PROOF, root, why)


def _copies(root: Path) -> list[Path]:
    """Of the SQLite file that MLflow is used with here."""
    uri = store.chosen(root)
    database = Path(uri.removeprefix(store.SQLITE))
    if not uri.startswith(store.SQLITE):
        return []
    beside = sorted(database.parent.glob(f"{database.name}.*"))
    return [path for path in beside if REVISION.fullmatch(path.name.removeprefix(database.name))]
