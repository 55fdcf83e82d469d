"""Bytes of this process that are in memory, now and at most, as Linux counts them."""

from __future__ import annotations

from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
PEAK = "5"  # what clear_refs takes to forget the peak (proc_pid_clear_refs(5))


def now() -> int | None:
    """Resident bytes, shared libraries counted whole; None where nobody counts."""
    return _row("VmRSS")


def forget() -> bool:
    """Begin the peak anew; False where the kernel does not let a process do that, so that the peak is its life's."""
    try:
        CLEAR.write_text(PEAK)
    except OSError:
        return False
    return True


def peak() -> int | None:
    """The most that was resident since ``forget``. (getrusage's ru_maxrss would have the parent's before the exec.)"""
    return _row("VmHWM")


def _row(name: str) -> int | None:
    if not STATUS.is_file():  # only Linux has the file
        return None
    rows = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(rows[name].split()[0]) * 1024 if name in rows else None
