"""A check in a process of its own: one that hangs can be killed, and imports that take seconds run side by side."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ops._doctor.finding import FIX, Finding

GRACE = 1.0  # seconds for a process to end
LIFE = 90  # seconds after which a process that nobody killed ends
PATIENCE = 5.0  # seconds that a network has, from when the imports are done


def ask(module: str, check: str, root: Path, patience: float = PATIENCE) -> Iterator[Finding]:
    """What ``python -m module`` finds in ``root``, and a FIX for each of its subjects that it fell silent about.

    It first prints a JSON list of its subjects (see ``begin``), then a line for each as it comes (``tell``); they are
    yielded in the order of the list. It has no terminal: no client can ask for a password.
    """
    found: dict[str, list[Finding]] = {}
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", module],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        silent, code = False, None
        try:
            for row in _rows(process, patience):
                if isinstance(row, list):
                    found = {subject: [] for subject in row}
                else:
                    found.setdefault(row.pop("subject"), []).append(Finding(check=row.pop("check", check), **row))
            code = process.wait(GRACE)
        except (queue.Empty, subprocess.TimeoutExpired):
            silent = True
        finally:
            _kill(process)
        errors.seek(0)
        last = next((line for line in reversed(errors.read().splitlines()) if line.strip()), f"exit {code}")
    for subject, findings in found.items():
        yield from findings or [_silent(check, subject, patience, None if silent else last)]
    if code and not found:
        yield Finding(check, FIX, f"this check failed itself: {last}")


def _rows(process: subprocess.Popen[str], patience: float) -> Iterator[Any]:
    """What the process tells until it ends; queue.Empty when its patience is over, counted from its first row.

    A thread reads: a process that waits for a dead NFS server cannot be killed, and keeps its pipe open.
    """
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    until = None
    while (line := lines.get(timeout=until and max(0.0, until - time.monotonic()))) is not None:
        if line.startswith(("[", "{")):  # the rest is what a client has to say
            until = until or time.monotonic() + patience
            yield json.loads(line)


def _read(process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            lines.put(line)
    lines.put(None)


def begin(subjects: Sequence[str]) -> None:
    """In the process: the imports are done, the clock starts, and this is what will be told of."""
    signal.alarm(LIFE)  # whoever asked may have gone by Ctrl-C
    _write(list(subjects))


def tell(subject: str, state: str, text: str, **more: str) -> None:
    """In the process: what was found of ``subject``; ``check`` names another check than the one asked for."""
    _write({"subject": subject, "state": state, "text": text, **more})


def _write(value: object) -> None:
    sys.stdout.write(f"{json.dumps(value)}\n")  # at once: threads tell side by side
    sys.stdout.flush()


def _silent(check: str, subject: str, patience: float, last: str | None) -> Finding:
    if last:
        return Finding(check, FIX, f"{subject}: this check failed itself: {last}")
    return Finding(check, FIX, f"{subject} does not answer in {patience:.0f} s: is it up, and reached from here?")


def _kill(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):  # it ended just now
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
