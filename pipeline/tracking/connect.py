"""A client of the tracking store: a server, a PostgreSQL database, or the database file here."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from requests import RequestException
from sqlalchemy.exc import SQLAlchemyError

from pipeline.core.types import Refusal
from pipeline.tracking import schema
from pipeline.tracking import uri as store

EXPERIMENT = "fcn"
TIMEOUT = 4  # seconds for a server to answer; it is asked twice
NOISY = ("mlflow.store.db.utils", "alembic", "urllib3.connectionpool")  # a line per migration, a line per retry


def connect(root: Path) -> tuple[MlflowClient, str]:
    """A client and the id of the experiment, at $MLFLOW_TRACKING_URI or else in ``root``/mlflow.db and mlartifacts/.

    Tables and the experiment are made by whoever comes first, however many come at once.

    Raises Refusal, within seconds and without a password, when nobody answers, or not as MLflow, or not to these
    credentials, or when the database is another MLflow's.
    """
    uri = store.chosen(root)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with schema.alone(uri), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The ``noload`` loader")  # MLflow's own, since SQLAlchemy 2.1
            if uri.startswith(store.HTTP):
                _ask(uri)
            else:
                schema.check(uri)
            client = MlflowClient(uri)
            return client, _experiment(client, store.artifacts(uri, root))
    except (MlflowException, SQLAlchemyError, OSError) as error:
        why, remedy = store.reason(error, uri), "start it, or unset MLFLOW_TRACKING_URI"
        raise Refusal(f"MLflow at {store.masked(uri)} does not answer ({why}): {remedy}") from None


def connect_existing(root: Path) -> tuple[MlflowClient, str]:
    """``connect``, but to a store that is there: a database made now would say that there never was a champion."""
    if not os.environ.get("MLFLOW_TRACKING_URI") and not (root / "mlflow.db").exists():
        raise Refusal("no registry to ask: set MLFLOW_TRACKING_URI, or run `dvc repro publish`, which makes mlflow.db")
    return connect(root)


@contextmanager
def answering(client: MlflowClient) -> Iterator[None]:
    """Make one line of a server that dies during the block; the same command completes what was begun."""
    try:
        yield
    except (MlflowException, RequestException, SQLAlchemyError) as error:
        name, why = store.masked(client.tracking_uri), store.reason(error, client.tracking_uri)
        raise Refusal(f"MLflow at {name} failed ({why}): run it again, it goes on from there") from None


def _experiment(client: MlflowClient, artifacts: str | None) -> str:
    """The experiment's id; behind a server many may find none and create it, and one of them succeeds."""
    known = client.get_experiment_by_name(EXPERIMENT)
    if known is None:
        try:
            return str(client.create_experiment(EXPERIMENT, artifacts))
        except MlflowException:
            if (known := client.get_experiment_by_name(EXPERIMENT)) is None:
                raise
    if known.lifecycle_stage == "deleted":
        client.restore_experiment(known.experiment_id)
    return str(known.experiment_id)


def _ask(uri: str) -> None:
    """One request that tells a server from none, from another's, and from one that does not know us."""
    path = "/api/2.0/mlflow/experiments/get-by-name"
    options = {"max_retries": 1, "timeout": TIMEOUT, "raise_on_status": False}
    answer = http_request(get_default_host_creds(uri), path, "GET", params={"experiment_name": EXPERIMENT}, **options)
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
