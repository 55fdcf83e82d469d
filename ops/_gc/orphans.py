"""All orphans of a clone, in DVC's cache, in MLflow and in scratch folders: found, told, removed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo, lock_repo

from ops._amount import size
from ops._gc import cache, scratch
from pipeline.core.types import Refusal
from pipeline.orphan import RUN, Orphan
from stages._records import identity
from stages.shared import dvc


@dataclass(frozen=True, kw_only=True)
class Found:
    """``orphans`` as old as asked for, how many are ``younger``, and ``notes`` of what was left alone, and why."""

    orphans: Sequence[Orphan]
    younger: int
    notes: Sequence[str]


def find(root: Path, days: float) -> Found:
    """Everything that nobody wrote to for ``days``. Raises Refusal where ``root`` is no clone's root."""
    notes: list[str] = []
    with _opened(root) as repo:
        found = scratch.orphans(repo)
        if why := cache.untouchable(repo):
            notes.append(f"DVC's cache is left alone: {why}")
        else:
            found += cache.orphans(repo)
    try:
        found += _tracked(root)
    except Refusal as refusal:
        notes.append(f"MLflow is left alone: {refusal}")
    old = [each for each in found if each.days >= days]
    return Found(orphans=old, younger=len(found) - len(old), notes=notes)


def remove(root: Path, chosen: Iterable[Orphan], days: float) -> list[Orphan]:
    """Remove those of ``chosen`` that still are orphans, and return them."""
    wanted = {(each.kind, each.id) for each in chosen}
    still = [each for each in find(root, days).orphans if (each.kind, each.id) in wanted]
    with _opened(root) as repo, lock_repo(repo):
        cache.remove(repo, still)
    scratch.remove(still)
    _forget(root, [each for each in still if each.kind == RUN])
    return still


def told(found: Found, days: float) -> str:
    """A line for each, the largest of a kind first, and the totals by kind."""
    rows = [_row(each) for each in sorted(found.orphans, key=lambda each: (each.kind, -each.bytes, each.name))]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    lines = [
        f"{kind:{widths[0]}}  {name:{widths[1]}}  {bytes_:>{widths[2]}}  {old:>{widths[3]}}  {why}"
        for kind, name, bytes_, old, why in rows
    ]
    kinds = sorted({each.kind for each in found.orphans})
    totals = [total(kind, [each for each in found.orphans if each.kind == kind]) for kind in kinds]
    younger = (
        [f"{found.younger} more, younger than {days:g} d, stay: --keep-days 0 lists them"] if found.younger else []
    )
    return "\n".join([*lines, *([""] if lines else ["nothing to remove"]), *totals, *younger])


def total(name: str, orphans: Sequence[Orphan]) -> str:
    return f"{name}: {len(orphans)}, {size(sum(each.bytes for each in orphans))}"


def age(days: float) -> str:
    return f"{days:.0f} d" if days >= 2 else f"{24 * days:.0f} h"


def _tracked(root: Path) -> list[Orphan]:
    """MLflow's, where there is any. Raises Refusal where it does not answer."""
    if not os.environ.get("MLFLOW_TRACKING_URI") and not (root / "mlflow.db").exists():
        return []
    from pipeline.registry.unused import unused  # MLflow takes seconds to import
    from pipeline.tracking.connect import answering, connect_existing

    entries = list(dvc.entries(root).values()) if (root / "dvc.lock").exists() else []
    lock = dvc.pipeline(entries)
    client, experiment = connect_existing(root)
    with answering(client):
        return unused(client, experiment, [identity(entry) for entry in entries], f"pipeline.{lock[:8]}")


def _forget(root: Path, orphans: Sequence[Orphan]) -> None:
    if not orphans:
        return
    from pipeline.registry import unused
    from pipeline.tracking.connect import answering, connect_existing

    client, _ = connect_existing(root)
    with answering(client):
        unused.remove(client, [each.id for each in orphans])


@contextmanager
def _opened(root: Path) -> Iterator[Repo]:
    try:
        with Repo(str(root)) as repo:
            if Path(repo.root_dir) != root.resolve():
                raise Refusal(f"{root} is not the repository's root: cd {repo.root_dir}")
            yield repo
    except DvcException as error:
        raise Refusal(f"DVC cannot tell what is needed: {error}") from None


def _row(orphan: Orphan) -> tuple[str, str, str, str, str]:
    why = orphan.why if orphan.ours else f"{orphan.why}, on a server: --server"
    return orphan.kind, orphan.name, size(orphan.bytes), age(orphan.days), why
