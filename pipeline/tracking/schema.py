"""The tables of a tracking database, made and brought up to this MLflow by one process at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from alembic.script import ScriptDirectory
from mlflow.store.db import utils
from mlflow.version import VERSION

from pipeline.core.types import Refusal
from pipeline.lock_file import locked
from pipeline.tracking.uri import POSTGRES, SQLITE, masked

tables: Any = utils  # MLflow's are untyped

KEY = int.from_bytes(b"fcn", "big")  # of the advisory lock: any number that nobody else of this database takes
TIMEOUT = 5  # seconds for a database to answer; MLflow alone asks a dead one for 100


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
