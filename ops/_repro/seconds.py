"""How long stages will take: as long as they took here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ops._repro import journal

Params = Mapping[str, Any]


def of(root: Path, stages: Mapping[Any, Params]) -> dict[Any, float]:
    """Seconds of those of ``stages``, with their params by name, that ran here."""
    lines, scale = journal.read(root), journal.scale(root)
    found = {stage: journal.seconds(lines, stage.addressing, params, scale) for stage, params in stages.items()}
    return {stage: seconds for stage, seconds in found.items() if seconds is not None}
