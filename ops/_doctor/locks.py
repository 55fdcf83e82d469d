"""Locks whose holder is dead, and events whose stage is: what a kill -9 or a power cut leaves."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from ops._doctor.finding import FIX, NOTE, OK, Finding, Params
from ops._locks import holders
from pipeline.lock_file import is_locked

MARGIN = 60.0  # seconds by which a clock that is set may move a process's birth
LOCK, RWLOCK = Path(".dvc/tmp/lock"), Path(".dvc/tmp/rwlock")
FOREVER = timedelta(days=365)  # after which DVC lets a hard-link lock expire; the file bears that time


def check(root: Path, params: Params, *, mend: bool = False) -> Iterator[Finding]:
    """A line for each that is stale or busy; ``mend`` takes dead processes out of DVC's rwlock."""
    found = [*_repository(root), *_paths(root, mend), *_spools()]
    yield from found or [Finding("locks", OK, "none is held")]


def _repository(root: Path) -> Iterator[Finding]:
    """DVC's lock: flock, which the kernel frees at death, or with core.hardlink_lock a file that stays."""
    path = root / LOCK
    if not path.exists():
        return
    if path.stat().st_nlink > 1 or path.stat().st_mtime > time.time() + FOREVER.total_seconds() / 2:
        since = datetime.fromtimestamp(path.stat().st_mtime, UTC) - FOREVER
        remedy = f"where no dvc works on this folder, on any machine, rm {LOCK}"
        yield Finding("locks", FIX, f"{LOCK} is held since {since:%Y-%m-%d %H:%M} UTC (core.hardlink_lock): {remedy}")
    elif is_locked(path):
        pid = path.read_text().strip()
        if pid.isdigit() and psutil.pid_exists(int(pid)):
            yield Finding("locks", NOTE, f"DVC is at work here (process {pid})")
        else:
            remedy = f"end the child that outlived it, which `fuser {LOCK}` names"
            yield Finding("locks", FIX, f"{LOCK} is held but process {pid or '?'}, which took it, is gone: {remedy}")


def _paths(root: Path, mend: bool) -> Iterator[Finding]:
    """DVC's list of who reads and writes what: a dead process in it stays until somebody asks for the same path."""
    path = root / RWLOCK
    try:
        before, rows = path.stat().st_mtime, json.loads(path.read_text(encoding="utf-8"))
        named = {holder["pid"]: holder["cmd"] for holder in holders(rows)}
    except FileNotFoundError:
        return
    except (ValueError, TypeError, KeyError, AttributeError):
        yield Finding("locks", FIX, f"{RWLOCK} is damaged, so no stage runs: where no dvc works here, rm {RWLOCK}")
        return
    dead = {pid: cmd for pid, cmd in named.items() if _dead(pid, before)}
    if not dead:
        return
    told = ", ".join(f"process {pid} ({re.sub(r'[^ ]*/', '', cmd)})" for pid, cmd in dead.items())
    if mend:
        _take_out(path, set(dead))
        yield Finding("locks", OK, f"{RWLOCK} named {told}, dead: taken out")
    else:
        yield Finding("locks", FIX, f"{RWLOCK} names {told}, dead: fcn doctor --mend locks")


def _dead(pid: int, before: float) -> bool:
    """Whether no process has the number, or one that was born after the list was last written."""
    try:
        return psutil.Process(pid).create_time() > before + MARGIN
    except psutil.NoSuchProcess:
        return True


def _take_out(path: Path, dead: set[int]) -> None:
    """Under DVC's own guard; what is written is what DVC writes."""
    from dvc.fs import localfs
    from dvc.rwlock import _edit_rwlock

    with _edit_rwlock(str(path.parent), localfs, False) as rows:
        write = {name: holder for name, holder in rows["write"].items() if holder["pid"] not in dead}
        read = {name: [one for one in those if one["pid"] not in dead] for name, those in rows["read"].items()}
        rows["write"], rows["read"] = write, {name: those for name, those in read.items() if those}


def _spools() -> Iterator[Finding]:
    """Events that no process will send any more: followers go when no stage writes."""
    from pipeline.tracking import spool

    place = spool.place()
    follower = place / ".follower.lock"
    if is_locked(follower):
        return
    left = [folder for folder in spool.spools(place) if not spool.alive(folder) and not (folder / "sent.json").exists()]
    if left:
        runs = "1 run, whose stage is" if len(left) == 1 else f"{len(left)} runs, whose stages are"
        yield Finding("locks", NOTE, f"{place} holds events of {runs} gone: fcn sync")
