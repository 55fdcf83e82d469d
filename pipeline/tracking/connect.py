"""A client of the tracking store: a server, a PostgreSQL database, or the database file here, whose tables it makes."""

import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from alembic.script import ScriptDirectory
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.db import utils
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from mlflow.version import VERSION
from sqlalchemy.exc import SQLAlchemyError

from pipeline.core.types import Refusal
from pipeline.lock_file import locked
from pipeline.tracking import uri as store
from pipeline.tracking.spool import clone
from pipeline.tracking.uri import POSTGRES, SQLITE, masked

tables: Any = utils  # MLflow's are untyped

EXPERIMENT = "fcn"
TIMEOUT = 4  # seconds for a server or a database to answer; a server is asked twice, and MLflow alone asks 100 s
KEY = int.from_bytes(b"fcn", "big")  # of the advisory lock: any number that nobody else of this database takes
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
        with alone(uri), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The ``noload`` loader")  # MLflow's own, since SQLAlchemy 2.1
            if uri.startswith(store.HTTP):
                _ask(uri)
            else:
                check(uri)
            client = MlflowClient(uri)
            return client, _experiment(client, store.artifacts(uri, root))
    except (MlflowException, SQLAlchemyError, OSError) as error:
        why, remedy = store.reason(error, uri), "start it, or unset MLFLOW_TRACKING_URI"
        raise Refusal(f"MLflow at {masked(uri)} does not answer ({why}): {remedy}") from None


def connect_existing(root: Path) -> tuple[MlflowClient, str]:
    """``connect``, but to a store that is there: a database made now would say that there never was a champion."""
    if not os.environ.get("MLFLOW_TRACKING_URI") and not (clone(root) / "mlflow.db").exists():
        raise Refusal("no registry to ask: set MLFLOW_TRACKING_URI, or run `dvc repro publish`, which makes mlflow.db")
    return connect(root)


@contextmanager
def answering(client: MlflowClient) -> Iterator[None]:
    """Make one line of a server that dies during the block, or of a full disk; once more completes what was begun."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        name, why = masked(client.tracking_uri), store.reason(error, client.tracking_uri)
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
    name, status = f"MLflow at {masked(uri)}", f"HTTP {answer.status_code}"
    if answer.status_code == 403 and "Host header" in answer.text:
        raise Refusal(f"{name} does not go by that name: start it with --allowed-hosts naming it")
    if answer.status_code in (401, 403):
        remedy = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        raise Refusal(f"{name} does not let you in ({status}): {remedy}")
    if answer.status_code >= 500:
        raise Refusal(f"{name} is out of order ({status}): its log says why")
    if not answer.headers.get("Content-Type", "").startswith("application/json"):
        raise Refusal(f"{name} is no MLflow server ({status} for {path}): correct MLFLOW_TRACKING_URI")


@contextmanager
def alone(uri: str) -> Iterator[None]:
    """Keep other processes out while the block runs, of this machine for SQLite and of all for PostgreSQL.

    Whoever meets a fresh database creates its tables, and of six that do so at once MLflow's migration kills five.

    Raises Refusal when the database's driver is not installed; sqlalchemy's errors when the database does not answer.
    """
    if uri.startswith(SQLITE):
        lock = Path(f"{uri.removeprefix(SQLITE)}.lock")
        lock.parent.mkdir(parents=True, exist_ok=True)
        with locked(lock):
            yield
    elif uri.startswith(POSTGRES):
        with _engine(uri) as engine, engine.begin() as transaction:
            transaction.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)"), {"key": KEY})
            yield
    else:
        yield


def check(uri: str) -> None:
    """Raises Refusal when the tables at ``uri`` are another MLflow's; it would bring some up in passing, for all."""
    with _engine(uri) as engine:
        if not tables._is_empty_database(engine):
            _older(uri, tables._get_schema_version(engine), refuse=True)


def upgrade(uri: str) -> str | None:
    """Make the tables of a fresh database; bring an older SQLite file's up to this MLflow.

    The older file is kept as ``mlflow.db.<its revision>``, which is returned: no migration can be undone.

    Raises Refusal for tables of a newer MLflow, and for older ones that are not SQLite's: those have other users.
    """
    with alone(uri), _engine(uri) as engine:
        if tables._is_empty_database(engine):
            tables._initialize_tables(engine)
            return None
        found = tables._get_schema_version(engine)
        if not _older(uri, found, refuse=not uri.startswith(SQLITE)):
            return None
        path = Path(uri.removeprefix(SQLITE))
        kept = path.with_name(f"{path.name}.{found}")
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(kept)) as target:
            source.backup(target)
        tables._upgrade_db(engine)
        return str(kept)


def _older(uri: str, found: str | None, *, refuse: bool) -> bool:
    """Whether the revision ``found`` at ``uri`` is an older MLflow's; Refusal for that on demand, for newer always."""
    if found == tables._get_latest_schema_revision():
        return False
    script = ScriptDirectory.from_config(tables._get_alembic_config(""))
    known = found is None or found in {revision.revision for revision in script.walk_revisions()}
    if refuse or not known:
        upgrade = "`fcn ui` keeps a copy and upgrades it" if uri.startswith(SQLITE) else "docs/team.md upgrades it"
        age, remedy = ("an older", upgrade) if known else ("a newer", "install that one")
        raise Refusal(f"{masked(uri)} was written by {age} MLflow than {VERSION}, which is installed: {remedy}")
    return True


@contextmanager
def _engine(uri: str) -> Iterator[Any]:
    options = {"connect_timeout": TIMEOUT} if uri.startswith(POSTGRES) else {}
    try:
        engine = sqlalchemy.create_engine(uri, connect_args=options, poolclass=sqlalchemy.pool.NullPool)
    except ModuleNotFoundError as error:
        remedy = "uv pip install 'fcn-pipeline[team]'"
        raise Refusal(f"{masked(uri)} needs {error.name}, which is not installed: {remedy}") from None
    except ValueError:  # SQLAlchemy's, of a port
        raise Refusal(f"{masked(uri)} is no URI: write postgresql://user:password@host:port/database") from None
    try:
        yield engine
    finally:
        engine.dispose()
