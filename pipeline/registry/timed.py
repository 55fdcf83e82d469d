"""Timings as runs of their own: they are a machine's, not a stage's, so no run of dvc.lock's gets them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow.entities import Metric

from pipeline.tracking.connect import connect
from pipeline.tracking.log import log
from pipeline.tracking.record import canonical

TAG = "time.net"


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A net's numbers, as ``time/<name>``; ``tags`` tell whose they are, ``facts`` where they were taken."""

    net: str
    tags: Mapping[str, str]
    numbers: Mapping[str, float]
    facts: Mapping[str, object]


def log_timings(root: Path, timed: Sequence[Timed]) -> None:
    """Make a run for each of ``timed``, found by its tag ``time.net``; each call makes its own, for times vary.

    Raises Refusal where there is no MLflow.
    """
    client, experiment = connect(root)
    for each in timed:
        run = client.create_run(experiment, tags={TAG: each.net, **each.tags}, run_name=f"time {each.net}")
        numbers = [Metric(f"time/{name}", value, run.info.start_time, 0) for name, value in each.numbers.items()]
        log(client, run.info.run_id, numbers, {name: canonical(value) for name, value in each.facts.items()})
        client.set_terminated(run.info.run_id)
