"""How long stages will take: as long as they took here, or else as MLflow's runs of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ops._repro import journal, patience
from pipeline.tracking import uri

PATIENCE = 5.0  # seconds for MLflow to answer

Params = Mapping[str, Any]


def of(root: Path, stages: Mapping[Any, Params]) -> dict[Any, float]:
    """Seconds of those of ``stages``, with their params by name, that somebody remembers."""
    lines, scale = journal.read(root), journal.scale(root)
    found = {
        stage: seconds
        for stage, params in stages.items()
        if (seconds := journal.seconds(lines, stage.addressing, params, scale)) is not None
    }
    rest = {stage: params for stage, params in stages.items() if stage not in found}
    if rest and _stands(uri.chosen(root)):
        found |= _tracked(root, rest)
    return found


def _stands(store: str) -> bool:
    """Whether there is a store to ask: a database file would be made, and half made where patience ends."""
    return not store.startswith(uri.SQLITE) or Path(store.removeprefix(uri.SQLITE)).is_file()


def _tracked(root: Path, stages: Mapping[Any, Params]) -> dict[Any, float]:
    """MLflow's, of runs with the params that are as dvc.lock has them: one with others may be of another scale."""
    from pipeline.tracking import lasted, record  # they load MLflow, 3 s

    asked = {}
    for stage, params in stages.items():
        before = {name: value for dep in stage.params for name, value in (dep.hash_info.value or {}).items()}
        same = record.dotted({name: value for name, value in params.items() if before.get(name) == value})
        key = stage.addressing.partition("@")[2]
        asked[stage.addressing] = {record.keyless(name, key): record.shortened(text) for name, text in same.items()}
    nothing: dict[str, float] = {}
    told = patience.within(PATIENCE, lambda: lasted.seconds(root, asked), nothing)
    return {stage: told[stage.addressing] for stage in stages if stage.addressing in told}
