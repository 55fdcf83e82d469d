"""Snapshots that no training goes on from: its inputs changed, or it is finished, or there is no such stage."""

from __future__ import annotations

from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo

import pipeline
from pipeline.core.types import Refusal
from pipeline.runtime.fingerprint import Fingerprint
from pipeline.training import snapshot
from pipeline.training.resume import FINGERPRINT
from stages.shared import dvc
from stages.shared.dvc import declared
from stages.shared.fingerprint import deps, digest


def unneeded(repo: Repo, folder: Path) -> str:
    """Why nobody goes on from ``folder``, the snapshots of a stage and a fingerprint; empty: somebody may.

    Torch and the processor are not compared: a machine beside the one that trains says nothing of that one. Where an
    input is absent here nobody can tell, and the snapshots stay.
    """
    assert not pipeline.UNPINNED
    root, address = Path(repo.root_dir), folder.parent.name
    if address not in dvc.stages(root):
        return "dvc.yaml has no such stage"
    if not snapshot.found(folder):
        return "no snapshot in it was written whole"
    try:
        then = Fingerprint.read(folder / FINGERPRINT)
        stage, _, key = address.partition("@")
        now = Fingerprint(
            stage=address,
            params=declared(stage, key or None, root).leaves,
            deps={dep: digest(root / dep) for dep in deps(address, root)},
            torch=then.torch,
            device=then.device,
        )
    except (OSError, ValueError, TypeError, KeyError, Refusal):
        return ""
    if None in now.deps.values():
        return ""
    if changes := now.since(then):
        return f"a rerun starts fresh, for {changes}"
    return "the stage is finished" if _finished(repo, address) else ""


def _finished(repo: Repo, address: str) -> bool:
    """Whether dvc.lock has what the stage writes from these inputs, and the cache too: nothing is left to train."""
    try:
        told = [each for rows in repo.status(targets=[address]).values() for each in rows]
    except DvcException:
        return False
    outs = [each.get("changed outs", {}) if isinstance(each, dict) else {} for each in told]
    return all(outs) and "not in cache" not in {state for each in outs for state in each.values()}
