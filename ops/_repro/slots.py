"""How many stages run at once, and on what."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.shared.dvc import load

RUNTIME = "runtime"
LEAST = 8  # stages beside a GPU's: most of them download


@dataclass(frozen=True)
class Slots:
    """Environments for stages that compute on runtime.device, and for others. On a CPU they share the same."""

    device: list[dict[str, str]]
    other: list[dict[str, str]]

    def of(self, stage: Any) -> list[dict[str, str]]:
        """Those that DVC's ``stage`` may have."""
        return self.device if computes(stage) else self.other


def computes(stage: Any) -> bool:
    """Whether ``stage`` declares ``runtime``, as those do that take long: trainings and evaluations."""
    return any(RUNTIME in dep.params for dep in stage.params)


def slots(jobs: int | None, gpus: str | None) -> Slots:
    """``jobs`` at once, or a stage a GPU, or one for each runtime.threads cores; beside a GPU others have their own."""
    runtime = load(Path("params.yaml"))[RUNTIME]
    cores = max(1, len(os.sched_getaffinity(0)) // runtime["threads"])
    if gpus or (runtime["device"] != "cpu" and not jobs):
        devices = [{"CUDA_VISIBLE_DEVICES": gpu.strip()} for gpu in gpus.split(",")] if gpus else [{}]
        return Slots(devices, [{} for _ in range(max(cores, LEAST))])
    shared: list[dict[str, str]] = [{} for _ in range(jobs or cores)]
    return Slots(shared, shared)
