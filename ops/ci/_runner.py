"""What one retraining leaves for the next on a runner: snapshots, spools, DVC's cache and the lock."""

from __future__ import annotations

import shlex
from collections.abc import MutableMapping
from pathlib import Path

from dvc.config import Config

from ops.compose import composed
from pipeline.core import files

SCRATCH, OVERRIDES = "FCN_SCRATCH", "FCN_OVERRIDES"


def keep(root: Path, environment: MutableMapping[str, str]) -> Path:
    """Point snapshots, spools and DVC's cache into $FCN_SCRATCH, a folder that outlives the work tree; the lock's path.

    What is set already stays as it is. Without the variable all of it lies in the work tree, which a runner of one's
    own keeps between jobs (``clean: false``).
    """
    scratch = environment.get(SCRATCH)
    if not scratch:
        return root / ".dvc" / "tmp" / "retraining"
    folder = Path(scratch).resolve()
    environment.setdefault("FCN_SNAPSHOTS", str(folder / "snapshots"))
    environment.setdefault("FCN_SPOOL", str(folder / "spool"))
    with Config(str(root / ".dvc")).edit("local") as config:
        config.setdefault("cache", {}).setdefault("dir", str(folder / "cache"))
    return folder / "retraining"


def override(root: Path, environment: MutableMapping[str, str]) -> bool:
    """Compose params.yaml anew under $FCN_OVERRIDES (as ``dvc exp run -S`` takes them); whether there were any.

    They come in a variable and never in a command, so that nothing in them is run by a shell.
    """
    given = shlex.split(environment.get(OVERRIDES, ""))
    if given:
        with files.replacing(root / "params.yaml") as scratch:
            scratch.write_text(composed(root, tuple(given)), encoding="utf-8")
    return bool(given)
