"""Timings as runs of their own: they are a machine's, not a stage's, so no run of dvc.lock's gets them."""

from __future__ import annotations

from collections.abc import Mapping

from mlflow import MlflowClient
from mlflow.entities import Metric

from pipeline.tracking.log import log
from pipeline.tracking.record import canonical

TAG = "time.net"


def log_timing(
    client: MlflowClient,
    experiment: str,
    net: str,
    tags: Mapping[str, str],
    numbers: Mapping[str, float],
    facts: Mapping[str, object],
) -> None:
    """Make a run with the tag ``time.net``: numbers as ``time/<name>``, and ``facts`` on where they were taken."""
    run = client.create_run(experiment, tags={TAG: net, **tags}, run_name=f"time {net}")
    metrics = [Metric(f"time/{name}", value, run.info.start_time, 0) for name, value in numbers.items()]
    log(client, run.info.run_id, metrics, {name: canonical(value) for name, value in facts.items()})
    client.set_terminated(run.info.run_id)
