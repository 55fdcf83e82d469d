"""How long stages will take: as long as they took here, or else as MLflow's runs of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ops import _journal, _patience
from pipeline.tracking import record

PATIENCE = 8.0  # seconds: MLflow takes three to load, and a server that is away is asked twice

Params = Mapping[str, Any]


def of(root: Path, stages: Mapping[Any, Params]) -> dict[Any, float]:
    """Seconds of those of ``stages``, with their params by name, that somebody remembers."""
    lines, scale = _journal.read(root), _journal.scale(root)
    found = {
        stage: seconds
        for stage, params in stages.items()
        if (seconds := _journal.seconds(lines, stage.addressing, params, scale)) is not None
    }
    rest = {stage.addressing: _kept(stage, params) for stage, params in stages.items() if stage not in found}
    if rest and (os.environ.get("MLFLOW_TRACKING_URI") or (root / "mlflow.db").is_file()):
        nothing: dict[str, float] = {}
        told = _patience.within(PATIENCE, lambda: _tracked(root, rest), nothing)
        found |= {stage: told[stage.addressing] for stage in stages if stage.addressing in told}
    return found


def _tracked(root: Path, stages: Mapping[str, Mapping[str, str]]) -> dict[str, float]:
    from pipeline.tracking import lasted  # it loads MLflow

    return lasted.seconds(root, stages)


def _kept(stage: Any, params: Params) -> dict[str, str]:
    """The params that are as dvc.lock has them, as MLflow has them: a run with others may be of another scale."""
    before = {name: value for dep in stage.params for name, value in (dep.hash_info.value or {}).items()}
    same = {name: value for name, value in params.items() if before.get(name) == value}
    key = stage.addressing.partition("@")[2]
    return {record.keyless(name, key): record.shortened(text) for name, text in record.dotted(same).items()}
