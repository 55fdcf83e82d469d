"""Which stage starts next, and where: DVC's graph, in the order in which people wait for its results."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.shared.dvc import load

RUNTIME = "runtime"
LEAST = 8  # stages beside a GPU's: most of them download
Slots = list[dict[str, str]]  # the environment that a stage has to itself, for each of those that run at once


class Order:
    """``stages`` in DVC's order, what each needs (others than ``stages`` count not), and which compute for ``long``."""

    def __init__(self, stages: Sequence[Any], needs: Mapping[Any, Collection[Any]], long: Collection[Any] = ()) -> None:
        self.stages = tuple(stages)
        self.needs = {stage: set(needs[stage]).intersection(stages) for stage in stages}
        longest = dict.fromkeys(stages, 1)  # stages one behind another after each, itself included
        nearest = dict.fromkeys(stages, len(stages))  # and on the shortest way to one that no other needs
        for stage in reversed(stages):
            way = nearest[stage] = 1 if longest[stage] == 1 else nearest[stage]
            for earlier in self.needs[stage]:
                longest[earlier] = max(longest[earlier], longest[stage] + 1)
                nearest[earlier] = min(nearest[earlier], way + 1)
        self.rank = {stage: (nearest[stage] if stage in long else 0, -longest[stage]) for stage in stages}

    def next(self, started: Collection[Any], done: Collection[Any], fits: Callable[[Any], Any] = bool) -> Any:
        """The stage to start, of those that fit and whose needs are ``done``; None if there is none.

        First what computes for no long time, for it can fail at once: downloads, conversions. Then what is nearest to a
        result: a net is scored as soon as it is trained. Of equals the one with the longest chain behind it.
        """
        ready = [stage for stage in self.stages if stage not in started and self.needs[stage].issubset(done)]
        return min(filter(fits, ready), key=self.rank.__getitem__, default=None)


def computes(stage: Any) -> bool:
    """Whether DVC's ``stage`` declares ``runtime``, as those do that take long: trainings and evaluations."""
    return any(RUNTIME in dep.params for dep in stage.params)


def slots(root: Path, jobs: int | None, gpus: str | None) -> tuple[Slots, Slots]:
    """For stages that do not compute and for those that do; on a CPU they share the same.

    ``jobs`` at once, or a stage a GPU, or one for each runtime.threads cores; beside a GPU others have their own.
    """
    runtime = load(root / "params.yaml")[RUNTIME]
    cores = max(1, len(os.sched_getaffinity(0)) // runtime["threads"])
    if gpus or (runtime["device"] != "cpu" and not jobs):
        devices = [{"CUDA_VISIBLE_DEVICES": gpu.strip()} for gpu in gpus.split(",")] if gpus else [{}]
        return [{} for _ in range(max(cores, LEAST))], devices
    shared: Slots = [{} for _ in range(jobs or cores)]
    return shared, shared
