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


def forget(client: MlflowClient, orphans: Iterable[Orphan]) -> list[Orphan]:
    """Delete each as MLflow's UI does and then, where the database is at hand, for good with its files.

    `mlflow gc` would also take what else lies in MLflow's trash, which nobody was shown; so what it calls is called.
    Behind a server runs go to its trash, and those that are there stay. Whenever this is killed, the next call
    completes it. Returns what was removed.
    """
    removes = {FILES: _folder, RUN: _run, MODEL: _model}
    return [orphan for orphan in orphans if removes[orphan.kind](client, orphan.id)]


def _folder(client: MlflowClient, path: str) -> bool:
    shutil.rmtree(path)
    return True


def _run(client: MlflowClient, run_id: str) -> bool:
    run, store = client.get_run(run_id), _database(client)
    active = run.info.lifecycle_stage == "active"
    if active:
        client.delete_run(run_id)
    if store is not None:
        _files(run.info.artifact_uri)
        store._hard_delete_run(run_id)
    return active or store is not None


def _model(client: MlflowClient, model_id: str) -> bool:
    location, store = client.get_logged_model(model_id).artifact_location, _database(client)
    client.delete_logged_model(model_id)
    if store is not None:
        _files(location)
        store._hard_delete_logged_model(model_id)
    return True


def _database(client: MlflowClient) -> Any:
    """MLflow's store that knows no trash; None behind a server."""
    store = client._tracking_client.store
    return store if hasattr(store, "_hard_delete_run") else None


def _files(uri: str) -> None:
    """All below ``uri``, and the folder of the run or model, which is one above."""
    get_artifact_repository(uri).delete_artifacts()
    folder: Path | None = local(uri)
    if folder and folder.parent.is_dir() and not any(folder.parent.iterdir()):
        folder.parent.rmdir()
