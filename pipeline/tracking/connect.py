"""A client of the tracking server, or of the database file here, its experiment and tables made by one process."""

from __future__ import annotations

import fcntl
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Read when MLflow is imported or first asks a server: no word to its makers, 6 s, not 4 minutes, for a dead server, and
# no two lines of addresses for every run that ends.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from pipeline.types import Refusal

EXPERIMENT = "fcn"
SQLITE = "sqlite:///"


def connect(root: Path) -> tuple[MlflowClient, str]:
    """A client and the id of the experiment, at $MLFLOW_TRACKING_URI or else in ``root``/mlflow.db and mlartifacts/.

    Whoever meets an SQLite file first creates its tables; that must be one process at a time, so a lock is held.

    Raises Refusal when nobody answers.
    """
    local = f"{SQLITE}{root.resolve() / 'mlflow.db'}"
    uri = os.environ.get("MLFLOW_TRACKING_URI") or local
    artifacts = (root.resolve() / "mlartifacts").as_uri() if uri == local else None
    for noisy in ("mlflow.store.db.utils", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)  # one line per migration
    try:
        with _alone(uri), warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message="The ``noload`` loader strategy"
            )  # MLflow's own, since SQLAlchemy 2.1
            client = MlflowClient(uri)
            known = client.get_experiment_by_name(EXPERIMENT)
            if known and known.lifecycle_stage == "deleted":
                client.restore_experiment(known.experiment_id)
            return client, known.experiment_id if known else client.create_experiment(EXPERIMENT, artifacts)
    except MlflowException as error:
        reason = str(error).splitlines()[0]
        raise Refusal(f"MLflow at {uri} does not answer ({reason}): start it, or unset MLFLOW_TRACKING_URI") from None


@contextmanager
def _alone(uri: str) -> Iterator[None]:
    if not uri.startswith(SQLITE):
        yield
        return
    lock = Path(f"{uri.removeprefix(SQLITE)}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
