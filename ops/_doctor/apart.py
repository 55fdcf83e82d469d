"""A check in a process of its own: one that hangs can be killed, and imports that take seconds run side by side."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from ops._doctor.finding import FIX, Finding

PATIENCE = 5.0  # seconds that a network has, from when the imports are done


def ask(module: str, check: str, root: Path, patience: float = PATIENCE) -> Iterator[Finding]:
    """What ``python -m module`` finds in ``root``, and a FIX for each of its subjects that it fell silent about.

    It first prints a JSON list of its subjects (see ``begin``), then a line for each as it comes (``tell``); they are
    yielded in the order of the list. It has no terminal: no client can ask for a password.
    """
    command = [sys.executable, "-W", "ignore", "-m", module]
    found: dict[str, list[Finding]] = {}
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command,
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        expired = threading.Event()
        timer = threading.Timer(patience, _expire, (process, expired))
        try:
            assert process.stdout is not None
            for line in process.stdout:
                row = json.loads(line)
                if isinstance(row, list):
                    found = {subject: [] for subject in row}
                    timer.start()
                else:
                    found.setdefault(row.pop("subject"), []).append(Finding(check=row.pop("check", check), **row))
            code = process.wait()
        finally:
            timer.cancel()
            _kill(process)
        errors.seek(0)
        last = next((line for line in reversed(errors.read().splitlines()) if line.strip()), f"exit {code}")
    for subject, findings in found.items():
        yield from findings or [_silent(check, subject, patience, None if expired.is_set() else last)]
    if code and not found:
        yield Finding(check, FIX, f"this check failed itself: {last}")


def begin(subjects: Sequence[str]) -> None:
    """In the process: the imports are done, the clock starts, and this is what will be told of."""
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


def _expire(process: subprocess.Popen[str], expired: threading.Event) -> None:
    expired.set()
    _kill(process)


def _kill(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
