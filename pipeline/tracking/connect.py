"""A client of the tracking store: a server, a PostgreSQL database, or the database file here."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

from pipeline.tracking import uri as store

# uri sets what MLflow reads when it is imported, so MLflow comes after it
# isort: split
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from sqlalchemy.exc import SQLAlchemyError

from pipeline.core.types import Refusal
from pipeline.tracking import schema

EXPERIMENT = "fcn"
PATIENCE = 4  # seconds for a server to answer, asked twice
NOISY = ("mlflow.store.db.utils", "alembic", "urllib3.connectionpool")  # a line per migration, a line per retry


def connect(root: Path) -> tuple[MlflowClient, str]:
    """A client and the id of the experiment, at $MLFLOW_TRACKING_URI or else in ``root``/mlflow.db and mlartifacts/.

    Tables and the experiment are made by whoever comes first, however many come at once.

    Raises Refusal, within seconds and without a password, when nobody answers, or not as MLflow, or not to these
    credentials, or when the database is another MLflow's.
    """
    uri = store.chosen(root)
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.ERROR)
    try:
        with schema.alone(uri), warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message="The ``noload`` loader strategy"
            )  # MLflow's own, since SQLAlchemy 2.1
            if uri.startswith(store.HTTP):
                _ask(uri)
            else:
                schema.check(uri)
            client = MlflowClient(uri)
            return client, _experiment(client, store.artifacts(uri, root))
    except (MlflowException, SQLAlchemyError, OSError) as error:
        reason = store.told(error, uri)
        remedy = "start it, or unset MLFLOW_TRACKING_URI"
        raise Refusal(f"MLflow at {store.masked(uri)} does not answer ({reason}): {remedy}") from None


def _experiment(client: MlflowClient, artifacts: str | None) -> str:
    """The experiment's id; behind a server many may find none and create it, and one of them succeeds."""
    known = client.get_experiment_by_name(EXPERIMENT)
    if known is None:
        try:
            return str(client.create_experiment(EXPERIMENT, artifacts))
        except MlflowException as error:
            known = client.get_experiment_by_name(EXPERIMENT)
            if known is None:
                raise error from None
    if known.lifecycle_stage == "deleted":
        client.restore_experiment(known.experiment_id)
    return str(known.experiment_id)


def _ask(uri: str) -> None:
    """One request that tells a server from none, from another's, and from one that does not know us."""
    path = "/api/2.0/mlflow/experiments/get-by-name"
    answer = http_request(
        get_default_host_creds(uri),
        path,
        "GET",
        params={"experiment_name": EXPERIMENT},
        max_retries=1,
        timeout=PATIENCE,
        raise_on_status=False,
    )
    name, status = f"MLflow at {store.masked(uri)}", f"HTTP {answer.status_code}"
    if answer.status_code == 403 and "Host header" in answer.text:
        raise Refusal(f"{name} does not go by that name: start it with --allowed-hosts naming it")
    if answer.status_code in (401, 403):
        remedy = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        raise Refusal(f"{name} does not let you in ({status}): {remedy}")
    if answer.status_code >= 500:
        raise Refusal(f"{name} is out of order ({status}): its log says why")
    if not answer.headers.get("Content-Type", "").startswith("application/json"):
        raise Refusal(f"{name} is no MLflow server ({status} for {path}): correct MLFLOW_TRACKING_URI")
