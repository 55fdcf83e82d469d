"""The tables of a tracking database, made and brought up to this MLflow by one process at a time."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from pipeline.tracking.uri import POSTGRES, SQLITE, TEAM, masked

# uri sets what MLflow reads when it is imported, so MLflow comes after it
# isort: split
import sqlalchemy
from alembic.script import ScriptDirectory
from mlflow.store.db import utils
from mlflow.version import VERSION

from pipeline.core.types import Refusal

tables: Any = utils  # MLflow's are untyped

KEY = int.from_bytes(b"fcn", "big")  # of the advisory lock: any number that nobody else of this database takes
PATIENCE = 5  # seconds for a database to answer; MLflow alone asks a dead one for 100


@contextmanager
def alone(uri: str) -> Iterator[None]:
    """Keep other processes out while the block runs, of this machine for SQLite and of all for PostgreSQL.

    Whoever meets a fresh database creates its tables, and MLflow's own migration does not survive company. Other
    stores are not locked: a server has met its database before.

    Raises Refusal when the database's driver is not installed; sqlalchemy's errors when the database does not answer.
    """
    if uri.startswith(SQLITE):
        lock = Path(f"{uri.removeprefix(SQLITE)}.lock")
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    elif uri.startswith(POSTGRES):
        with _engine(uri) as engine, engine.begin() as transaction:
            transaction.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)"), {"key": KEY})
            yield
    else:
        yield


def check(uri: str) -> None:
    """Raises Refusal when the database at ``uri`` is not fresh and its tables are another MLflow's.

    MLflow itself would bring some older tables up in passing, and with them the database of everybody else.
    """
    with _engine(uri) as engine:
        remedy = None if tables._is_empty_database(engine) else outdated(uri, tables._get_schema_version(engine))
    if remedy:
        raise Refusal(remedy)


def upgrade(uri: str) -> str | None:
    """Make the tables of a fresh database; bring an older SQLite file's up to this MLflow.

    The older file is kept as ``mlflow.db.<its revision>``, which is returned: no migration can be undone. A database
    of several people is not upgraded in passing.

    Raises Refusal for a schema that is newer than this MLflow, and for an older one that is not SQLite's.
    """
    with alone(uri), _engine(uri) as engine:
        if tables._is_empty_database(engine):
            tables._initialize_tables(engine)
            return None
        found = tables._get_schema_version(engine)
        remedy = outdated(uri, found)
        if remedy is None:
            return None
        if not uri.startswith(SQLITE) or not _older(found):
            raise Refusal(remedy)
        kept = _keep(Path(uri.removeprefix(SQLITE)), str(found))
        tables._upgrade_db(engine)
        return kept


def outdated(uri: str, found: str | None) -> str | None:
    """What to do about the schema revision ``found`` at ``uri``; None if it is this MLflow's."""
    if found == tables._get_latest_schema_revision():
        return None
    if not _older(found):
        return f"{masked(uri)} was written by a newer MLflow than {VERSION}, which is installed: install that one"
    remedy = "`fcn ui` keeps a copy and upgrades it" if uri.startswith(SQLITE) else "upgrade it as docs/team.md says"
    return f"{masked(uri)} was written by an older MLflow than {VERSION}, which is installed: {remedy}"


def _older(found: str | None) -> bool:
    script = ScriptDirectory.from_config(tables._get_alembic_config(""))
    return found is None or found in {revision.revision for revision in script.walk_revisions()}


def _keep(path: Path, revision: str) -> str:
    copy = path.with_name(f"{path.name}.{revision}")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return str(copy)


@contextmanager
def _engine(uri: str) -> Iterator[Any]:
    patience = {"connect_timeout": PATIENCE} if uri.startswith(POSTGRES) else {}
    try:
        engine = sqlalchemy.create_engine(uri, connect_args=patience, poolclass=sqlalchemy.pool.NullPool)
    except ModuleNotFoundError as error:
        raise Refusal(f"{masked(uri)} needs {error.name}, which is not installed: {TEAM}") from None
    except ValueError:  # SQLAlchemy's, of a port
        raise Refusal(f"{masked(uri)} is no URI: write postgresql://user:password@host:port/database") from None
    try:
        yield engine
    finally:
        engine.dispose()
