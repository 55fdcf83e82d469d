"""Write numbers and pictures onto a run, in requests that MLflow takes, and know what the run has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from PIL import Image

METRICS, PARAMS, TAGS = 800, 100, 100  # per request: MLflow takes 1000 entities, 100 params and 100 tags among them
TIMED = "time.net"  # the tag by which timings are found

Words = Mapping[str, str]
NONE: Words = {}


def log(
    client: MlflowClient, run_id: str, metrics: Sequence[Metric] = (), params: Words = NONE, tags: Words = NONE
) -> None:
    """All of it, in as few requests as MLflow takes; empty tags are left out."""
    values = [Param(name, value) for name, value in params.items()]
    words = [RunTag(name, value) for name, value in tags.items() if value]
    while metrics or values or words:
        client.log_batch(run_id, metrics[:METRICS], values[:PARAMS], words[:TAGS])
        metrics, values, words = metrics[METRICS:], values[PARAMS:], words[TAGS:]


def last(run: Run) -> dict[str, Metric]:
    """The last point of each of the run's curves, with step and time, which its ``data.metrics`` lacks."""
    return {metric.key: metric for metric in run.data.to_proto().metrics}


def artifacts(client: MlflowClient, run_id: str, folder: str | None = None) -> Iterator[str]:
    """The paths of all files of a run."""
    for file in client.list_artifacts(run_id, folder):
        if file.is_dir:
            yield from artifacts(client, run_id, file.path)
        else:
            yield file.path


def picture(client: MlflowClient, run_id: str, there: set[str], path: Path, key: str, step: int, time: int = 0) -> None:
    """Show the PNG ``path`` under ``key`` at ``step`` (``time`` in ms), unless the run's files ``there`` hold it.

    MLflow writes the small WebP after the PNG: a picture without one was cut off.
    """
    key = re.sub(r"[^a-zA-Z0-9_\-./ ]", "_", key)
    name = f"images/{key.replace('/', '~')}+step+{step}+"
    if any(file.startswith(name) and file.endswith(".webp") for file in there):
        return
    with Image.open(path) as image:
        client.log_image(run_id, image, key=key, step=step, timestamp=time or None, synchronous=True)


def timing(
    client: MlflowClient, experiment: str, net: str, tags: Words, numbers: Mapping[str, float], facts: Words
) -> None:
    """Log how long a net takes as a run of its own, ``time/<name>``: that is a machine's, not a stage's of dvc.lock."""
    run = client.create_run(experiment, tags={TIMED: net, **tags}, run_name=f"time {net}")
    metrics = [Metric(f"time/{name}", value, run.info.start_time, 0) for name, value in numbers.items()]
    log(client, run.info.run_id, metrics, facts)
    client.set_terminated(run.info.run_id)
