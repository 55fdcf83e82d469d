"""Send the spools under a root to its MLflow, and look at what came there."""

from __future__ import annotations

from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from pipeline.tracking.connect import connect
from pipeline.tracking.sync import sync


def send(root: Path) -> list[str]:
    return sync(root, root / ".spool")


def runs(root: Path) -> tuple[MlflowClient, list[Run]]:
    client, experiment = connect(root)
    return client, list(client.search_runs([experiment]))


def steps(client: MlflowClient, run: Run, curve: str) -> list[int]:
    return [metric.step for metric in client.get_metric_history(run.info.run_id, curve)]
