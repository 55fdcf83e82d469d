"""A version of a registered model: uploaded first, whole from its first moment, one for the same weights and scores."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LoggedModel
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

NAME, WEIGHTS, SCORES = "registered.as", "weights.md5", "metrics.sha256"  # tags; the last two know a version again
STALE = 24 * 3600  # seconds after which nobody uploads any more


def standing_or_made(
    client: MlflowClient, name: str, folder: Path, run_id: str, tags: Mapping[str, str], description: str
) -> tuple[str, bool]:
    """The number of the version of these weights and metrics, and whether it had to be made.

    Of two that are made at once the first stays: the server numbers versions one after another.
    """
    _ensure(client, name)
    if standing := _standing(client, name, tags):
        return str(standing[0].version), False
    model = _uploaded(client, name, folder, run_id, tags)
    made = client.create_model_version(
        name, model.artifact_location, run_id, dict(tags), description=description, model_id=model.model_id
    )
    first = _standing(client, name, tags)[0]
    if first.version == made.version:
        return str(made.version), True
    client.delete_model_version(name, str(made.version))
    if first.source != model.artifact_location:  # the other may have taken our upload
        client.delete_logged_model(model.model_id)
    return str(first.version), False


def versions(client: MlflowClient, name: str) -> list[ModelVersion]:
    """All versions of the registered model ``name``, the oldest first."""
    return sorted(client.search_model_versions(f"name = '{name}'"), key=lambda version: int(version.version))


def _ensure(client: MlflowClient, name: str) -> None:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _standing(client: MlflowClient, name: str, tags: Mapping[str, str]) -> list[ModelVersion]:
    """The whole versions of the same weights and metrics."""
    same = {key: tags[key] for key in (WEIGHTS, SCORES)}.items()
    return [found for found in versions(client, name) if found.status == "READY" and same <= found.tags.items()]


def _uploaded(client: MlflowClient, name: str, folder: Path, run_id: str, tags: Mapping[str, str]) -> LoggedModel:
    """``folder`` as a logged model of the run: uploaded now, or earlier by a promotion that was killed after it."""
    experiment = client.get_run(run_id).info.experiment_id
    same = {NAME: name, WEIGHTS: tags[WEIGHTS], SCORES: tags[SCORES]}
    for earlier in client.search_logged_models([experiment], f"tags.`{NAME}` = '{name}'"):
        if earlier.status == "READY" and same.items() <= earlier.tags.items():
            return earlier
        if earlier.status == "PENDING" and time.time() - earlier.creation_timestamp / 1000 > STALE:
            client.delete_logged_model(earlier.model_id)
    model = client.create_logged_model(experiment, name, source_run_id=run_id, tags=same)
    try:
        client.log_model_artifacts(model.model_id, str(folder))
        return client.finalize_logged_model(model.model_id, "READY")
    except BaseException:
        client.delete_logged_model(model.model_id)
        raise
