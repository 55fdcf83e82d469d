"""Prove that dvc.lock can be had again, and keep the proofs in .verified/: fcn verify [STAGE…]."""

import os
import platform
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import click

import pipeline
from ops._workspace import difference, hashes, locked, workspace
from ops.run import this_python
from pipeline import proof
from pipeline.core.fields import canonical, flat, nearest
from pipeline.core.types import Refusal
from stages.shared import dvc
from stages.shared.dvc import Entry, entries, upstream
from stages.shared.stage import Stage

SAME, DIFFERS = "same", "DIFFERS"
TAIL = 10  # lines of a failed command's output


@click.command(cls=Stage)
@click.argument("stages", nargs=-1)
def main(stages: tuple[str, ...]) -> None:
    """Run STAGES (without any, all of dvc.lock) again in a temporary workspace and compare with dvc.lock.

    What came out the same from inputs that are still dvc.lock's is proved: `fcn promote` asks for that.
    """
    root, same = Path.cwd(), True
    chosen = choose(root, stages)
    with workspace(root, chosen) as folder:
        for entry, verdict in zip(chosen, rerun(root, folder, chosen), strict=True):
            click.echo(f"{entry.stage}  {verdict.outcome}  {verdict.reason}")
            same &= verdict.outcome == SAME
            if verdict.proves:
                _prove(root, entry)
            elif verdict.outcome == DIFFERS:
                proof.withdraw(root, entry.stage)
    if not same:
        raise click.exceptions.Exit(1)


@dataclass(frozen=True)
class Verdict:
    """What became of a stage: ``same``, ``DIFFERS``, ``FAILED`` or ``skipped``, with seconds or the reason.

    It ``proves`` dvc.lock's entry if the same came of the very inputs that the entry names.
    """

    outcome: str
    reason: str
    proves: bool = False


def choose(root: Path, names: Sequence[str]) -> list[Entry]:
    """The entries of ``names`` (``train`` is all of ``train@…``) in an order that they can run in; without any, all.

    Stages that lock no output, as publish, are never among them. Raises Refusal for a name that dvc.lock lacks.
    """
    known = {stage: entry for stage, entry in entries(root).items() if entry.outs}
    wanted = {stage: known[stage] for name in names or known for stage in _named(name, list(known))}
    order = TopologicalSorter({stage: [e.stage for e in upstream(wanted[stage], wanted)] for stage in wanted})
    return [wanted[stage] for stage in order.static_order()]


def rerun(root: Path, folder: Path, chosen: Sequence[Entry]) -> Iterator[Verdict]:
    """Run each of ``chosen`` in ``folder`` and compare its outputs with ``root``'s dvc.lock.

    What builds on a stage that did not give the same is skipped: it would be blamed for what it was given.
    """
    broken: dict[str, Entry] = {}
    for entry in chosen:
        cause = upstream(entry, broken)
        verdict = Verdict("skipped", f"builds on {cause[0].stage}") if cause else _run(root, folder, entry)
        if verdict.outcome != SAME:
            broken[entry.stage] = entry
        yield verdict


def _run(root: Path, folder: Path, entry: Entry) -> Verdict:
    start = time.monotonic()
    command = ["/bin/sh", "-c", entry.cmd]
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(command, cwd=folder, env=_environment(folder, entry), errors="replace", check=False, **pipes)
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-TAIL:])
        return Verdict("FAILED", f"{entry.cmd}: exit {done.returncode}\n{tail}")
    changed = ", ".join(_changed(folder, entry))
    for path, md5 in entry.outs.items():
        if differs := difference(path, locked(root, path, md5), hashes(folder, path)):
            return Verdict(DIFFERS, f"{differs}; changed since: {changed or _nothing(entry)}")
    seconds = f"{time.monotonic() - start:.0f} s"
    if changed:
        return Verdict(SAME, f"{seconds}, but no proof of dvc.lock; changed since: {changed}")
    return Verdict(SAME, seconds, proves=True)


def _environment(folder: Path, entry: Entry) -> dict[str, str]:
    """DVC's for a stage; no tracking server or experiment of the caller's hears of it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_"))}
    return this_python(kept) | {"DVC_ROOT": str(folder), "DVC_STAGE": entry.stage, "FCN_TRACKING": "off"}


def _changed(folder: Path, entry: Entry) -> Iterator[str]:
    """What the stage reads that is no longer what dvc.lock says."""
    for path, md5 in entry.deps.items():
        if hashes(folder, path).get(path) != md5:
            yield path
    leaves = flat(dvc.load(folder / "params.yaml"))
    yield from (name for name, value in entry.params.items() if canonical(leaves.get(name)) != value)


def _named(name: str, known: Sequence[str]) -> list[str]:
    found = [stage for stage in known if name in (stage, stage.partition("@")[0])]
    if not found:
        hint = nearest(name, known).strip() or f"it has {', '.join(known)}"
        raise Refusal(f"dvc.lock has no outputs of a stage {name}: {hint}")
    return found


def _nothing(entry: Entry) -> str:
    """That nothing which ``entry`` reads has changed, and whether other bytes are then to be expected here."""
    from pipeline import determinism  # torch

    if entry.params.get("runtime.device", "cpu") != "cpu":
        why = "a GPU's bytes are those of its model, driver and torch"
    elif missing := determinism.outside():
        why = f"{missing}, so other bytes are to be expected"
    else:
        why = "this processor should give the same: pytest tests/test_portable.py names an operation that does not"
    return f"nothing it reads; {why}"


def _prove(root: Path, entry: Entry) -> None:
    """Write the proof of ``entry``, with the kind of processor that its stage computes on."""
    from stages.shared.fingerprint import kind

    assert not pipeline.UNPINNED  # torch comes after it
    import torch

    versions = {"torch": torch.__version__, "python": platform.python_version()}
    processor = kind(torch.device(entry.params.get("runtime.device", "cpu")))
    same = proof.Proof(stage=entry.stage, inputs=entry.inputs, outputs=entry.outputs, processor=processor, **versions)
    proof.write(root, same)
