"""Remove from MLflow for good what ``spent`` found."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from pipeline.orphan import FILES, MODEL, RUN, Orphan
from pipeline.tracking.spent import local


def forget(client: MlflowClient, orphans: Iterable[Orphan]) -> None:
    """Delete each as MLflow's UI does and then, where the database is at hand, for good with its files.

    `mlflow gc` would also take what else lies in MLflow's trash, which nobody was shown; so what it calls is called.
    Behind a server they go to its trash. Whenever this is killed, the next call completes it.
    """
    for orphan in orphans:
        if orphan.kind == FILES:
            shutil.rmtree(orphan.id)
        elif orphan.kind == RUN:
            _run(client, orphan.id)
        elif orphan.kind == MODEL:
            _model(client, orphan.id)


def _run(client: MlflowClient, run_id: str) -> None:
    run, store = client.get_run(run_id), _database(client)
    if run.info.lifecycle_stage == "active":
        client.delete_run(run_id)
    if store is not None:
        _files(run.info.artifact_uri)
        store._hard_delete_run(run_id)


def _model(client: MlflowClient, model_id: str) -> None:
    location, store = client.get_logged_model(model_id).artifact_location, _database(client)
    client.delete_logged_model(model_id)
    if store is not None:
        _files(location)
        store._hard_delete_logged_model(model_id)


def _database(client: MlflowClient) -> Any:
    """MLflow's store itself, which can do without a trash; None behind a server."""
    store = client._tracking_client.store
    return store if hasattr(store, "_hard_delete_run") else None


def _files(uri: str) -> None:
    """All below ``uri``, and the folder of the run or model, which is one above."""
    get_artifact_repository(uri).delete_artifacts()
    folder: Path | None = local(uri)
    if folder and folder.parent.is_dir() and not any(folder.parent.iterdir()):
        folder.parent.rmdir()
