"""Keep what `fcn verify` saw: a proof of the stage that came out the same, none of one that did not."""

from __future__ import annotations

import platform
from pathlib import Path

from pipeline import determinism, proof
from pipeline.proof import Proof

# determinism pins torch's kernels, so torch comes after it
# isort: split
import torch

from stages.shared.dvc import Entry
from stages.shared.fingerprint import kind


def keep(root: Path, entry: Entry, same: bool) -> None:
    """Write or withdraw the proof of ``entry`` in ``root``; the processor is the kind that its stage computes on."""
    assert not determinism.UNPINNED
    if not same:
        proof.withdraw(root, entry.stage)
        return
    device = torch.device(entry.params.get("runtime.device", "cpu"))
    found = Proof(
        stage=entry.stage,
        inputs=entry.inputs,
        outputs=entry.outputs,
        torch=torch.__version__,
        python=platform.python_version(),
        processor=kind(device),
    )
    proof.write(root, found)
