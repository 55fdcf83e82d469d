"""One retraining at a time on what runners share: a lock that dies with its holder, whose orphans are stopped first."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import psutil

MARK = "FCN_RETRAINING"  # in the environment of every process of a retraining: by it orphans are known
POLL, GRACE = 0.5, 10.0  # seconds between two tries, and for orphans to write a last snapshot in


@contextmanager
def held(path: Path, url: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock at ``path`` for the block, however long it takes to get; ``url`` tells those who wait whose it is.

    The kernel lets go of it when this process dies, kill -9 included. What such a process left running on this machine
    is stopped before the block begins: SIGTERM, then SIGKILL. On NFS the lock holds between machines (flock is a lock
    of byte ranges there), but orphans on another one are out of reach.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        _acquire(file, say)
        if left := _holder(file):
            _stop(left.get("mark", ""), say)
        mark = secrets.token_hex(8)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        _write(file, {"mark": mark, "pid": str(os.getpid()), "host": socket.gethostname(), "since": since, "url": url})
        os.environ[MARK] = mark
        try:
            yield
        finally:
            del os.environ[MARK]
            _write(file, {})


def _acquire(file: IO[str], say: Callable[[str], None]) -> None:
    told: Mapping[str, str] = {}
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = _holder(file)
        if holder and holder != told:
            told = holder
            who = f"{told['url'] or 'process ' + told['pid']} on {told['host']}"
            say(f"waiting: {who} has been retraining since {told['since']}")
        time.sleep(POLL)


def _holder(file: IO[str]) -> dict[str, str]:
    file.seek(0)
    try:
        return dict(json.loads(file.read() or "{}"))
    except ValueError:  # caught while it was being written
        return {}


def _write(file: IO[str], holder: Mapping[str, str]) -> None:
    file.truncate(0)
    file.write(json.dumps(holder))
    file.flush()


def _stop(mark: str, say: Callable[[str], None]) -> None:
    """End every process that a dead holder with this mark left behind."""
    orphans = [process for process in psutil.process_iter() if mark and _mark(process) == mark]
    if not orphans:
        return
    say(f"stopping {len(orphans)} processes that a killed retraining left running")
    for orphan in orphans:
        _signal(orphan.terminate)
    for orphan in psutil.wait_procs(orphans, timeout=GRACE)[1]:
        _signal(orphan.kill)
    psutil.wait_procs(orphans, timeout=GRACE)


def _mark(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):  # another user's, or gone
        return None


def _signal(send: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        send()
