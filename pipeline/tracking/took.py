"""What stages took when they ran here: time, speed, memory and energy, as their live runs told them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

# registry sets what MLflow reads when it is imported, so MLflow comes after it
from mlflow import MlflowClient
from mlflow.entities import Metric, Run

from pipeline.tracking.adopt import Tags, find
from pipeline.tracking.lasted import LIVE
from pipeline.tracking.registry import ask

SPEED = "images_per_second"
MEMORY = "system/system_memory_usage_megabytes"
GPU_MEMORY = re.compile(r"system/gpu_\d+_memory_usage_megabytes")
POWER = re.compile(r"system/gpu_\d+_power_usage_watts")
WATTS = 1000 * 1000 * 3600  # milliseconds × watts of a kilowatt-hour


@dataclass(frozen=True, kw_only=True)
class Took:
    """One stage's run, from its first event to its last, a pause in between included.

    Images a second are the mean of its points; ``memory`` is the most that the whole machine used, ``gpu_memory`` that
    of its GPUs, in MB; ``kwh`` what the GPUs drew. None is what nobody told.
    """

    seconds: float
    speed: float | None
    memory: float | None
    gpu_memory: float | None
    kwh: float | None
    machine: str


def took(root: Path, stages: Iterable[Tags]) -> dict[str, Took]:
    """Of those ``stages``, told by their tags, whose run was live and ended, by stage.

    Raises Refusal where there is no tracking server, or none that answers.
    """
    client, experiment = ask(root)
    found = find(client, experiment, stages)
    return {stage: _took(client, run) for stage, run in found.items() if LIVE in run.data.tags and run.info.end_time}


def _took(client: MlflowClient, run: Run) -> Took:
    def points(name: str) -> Sequence[Metric]:
        return client.get_metric_history(run.info.run_id, name)

    def most(names: Iterable[str]) -> float | None:
        return sum(max(point.value for point in points(name)) for name in told) if (told := [*names]) else None

    names = run.data.metrics
    speeds = [point.value for point in points(SPEED)] if SPEED in names else []
    powers = [points(name) for name in names if POWER.fullmatch(name)]
    return Took(
        seconds=(run.info.end_time - run.info.start_time) / 1000,
        speed=sum(speeds) / len(speeds) if speeds else None,
        memory=most(name for name in names if name == MEMORY),
        gpu_memory=most(name for name in names if GPU_MEMORY.fullmatch(name)),
        kwh=sum(energy([(point.timestamp, point.value) for point in each]) for each in powers) if powers else None,
        machine=run.data.tags[LIVE],
    )


def energy(points: Iterable[tuple[int, float]]) -> float:
    """In kWh, of (milliseconds, watts) joined by straight lines."""
    ordered = sorted(points)
    pairs = pairwise(ordered)
    return sum((end - start) * (before + after) / 2 for (start, before), (end, after) in pairs) / WATTS
