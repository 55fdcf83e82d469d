"""Run stages of dvc.lock again and compare what they write with what dvc.lock says they wrote."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from graphlib import TopologicalSorter
from pathlib import Path

from ops import _python
from ops._digest import difference, digest, locked
from pipeline.core.types import Refusal
from stages.shared import dvc
from stages.shared.dvc import Entry, entries, overlap

SAME, DIFFERS = "same", "DIFFERS"
TAIL = 10  # lines of a failed command's output


@dataclass(frozen=True)
class Verdict:
    """What became of a stage: ``same``, ``DIFFERS``, ``FAILED`` or ``skipped``, with seconds or the reason.

    It ``proves`` dvc.lock's entry if the same came of the very inputs that the entry names.
    """

    stage: str
    outcome: str
    told: str
    proves: bool = False

    def __str__(self) -> str:
        return f"{self.stage}  {self.outcome}  {self.told}"


def choose(root: Path, names: Sequence[str]) -> list[Entry]:
    """The entries of ``names`` (``train`` is all of ``train@…``) in an order that they can run in; without any, all.

    Stages that lock no output, as publish, are never among them. Raises Refusal for a name that dvc.lock lacks.
    """
    known = {stage: entry for stage, entry in entries(root).items() if entry.outs}
    wanted = {stage: known[stage] for name in names or known for stage in _named(name, list(known))}
    order = TopologicalSorter({stage: _before(entry, wanted.values()) for stage, entry in wanted.items()})
    return [wanted[stage] for stage in order.static_order()]


def rerun(root: Path, folder: Path, chosen: Sequence[Entry]) -> Iterator[Verdict]:
    """Run each of ``chosen`` in ``folder`` and compare its outputs with ``root``'s dvc.lock.

    What builds on a stage that did not give the same is skipped: it would be blamed for what it was given.
    """
    broken: list[Entry] = []
    for entry in chosen:
        cause = _before(entry, broken)
        verdict = Verdict(entry.stage, "skipped", f"builds on {cause[0]}") if cause else _run(root, folder, entry)
        if verdict.outcome != SAME:
            broken.append(entry)
        yield verdict


def _run(root: Path, folder: Path, entry: Entry) -> Verdict:
    start = time.monotonic()
    done = subprocess.run(
        entry.cmd,
        shell=True,
        cwd=folder,
        env=_environment(folder, entry),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-TAIL:])
        return Verdict(entry.stage, "FAILED", f"{entry.cmd}: exit {done.returncode}\n{tail}")
    for path, md5 in entry.outs.items():
        if told := difference(path, locked(root, path, md5), digest(folder, path)):
            changed = ", ".join(_changed(folder, entry)) or "nothing it reads"
            return Verdict(entry.stage, DIFFERS, f"{told}; changed since: {changed}")
    seconds = f"{time.monotonic() - start:.0f} s"
    if changed := ", ".join(_changed(folder, entry)):
        return Verdict(entry.stage, SAME, f"{seconds}, but no proof of dvc.lock; changed since: {changed}")
    return Verdict(entry.stage, SAME, seconds, proves=True)


def _environment(folder: Path, entry: Entry) -> dict[str, str]:
    """DVC's for a stage; no tracking server or experiment of the caller's hears of it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_"))}
    return _python.first(kept) | {"DVC_ROOT": str(folder), "DVC_STAGE": entry.stage, "FCN_TRACKING": "off"}


def _changed(folder: Path, entry: Entry) -> Iterator[str]:
    """What the stage reads that is no longer what dvc.lock says."""
    for path, md5 in entry.deps.items():
        now = digest(folder, path)
        if now is None or now.md5 != md5:
            yield path
    leaves = dvc.flat(dvc.load(folder / "params.yaml"))
    yield from (name for name, value in entry.params.items() if dvc.canonical(leaves.get(name)) != value)


def _before(entry: Entry, others: Iterable[Entry]) -> list[str]:
    """Those of ``others`` whose outputs ``entry`` reads."""
    return [other.stage for other in others if any(overlap(dep, out) for dep in entry.deps for out in other.outs)]


def _named(name: str, known: Sequence[str]) -> list[str]:
    found = [stage for stage in known if name in (stage, stage.partition("@")[0])]
    if not found:
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(known) or 'none'}"
        raise Refusal(f"dvc.lock has no outputs of a stage {name}: {hint}")
    return found
