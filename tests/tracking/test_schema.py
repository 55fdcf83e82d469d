"""An older database is kept and upgraded, a newer one is left alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.core.types import Refusal
from pipeline.tracking import schema
from pipeline.tracking.connect import connect
from tests.tracking.older import older


def revision(path: Path) -> str:
    with closing(sqlite3.connect(path)) as database:
        return str(database.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def test_an_older_file_is_refused_until_it_is_upgraded_and_kept_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    path = tmp_path / "mlflow.db"
    before = older(path)
    with pytest.raises(Refusal, match=r"mlflow.db was written by an older MLflow than 3.*: `fcn ui` keeps a copy"):
        connect(tmp_path)
    assert revision(path) == before, "refused before writing"

    kept = schema.upgrade(f"sqlite:///{path}")
    assert kept == f"{path}.{before}"
    assert revision(Path(kept)) == before
    assert revision(path) != before
    assert schema.upgrade(f"sqlite:///{path}") is None
    connect(tmp_path)


def test_a_newer_file_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    path = tmp_path / "mlflow.db"
    schema.upgrade(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = 'fedcba987654'")
        database.commit()
    for attempt in (lambda: connect(tmp_path), lambda: schema.upgrade(f"sqlite:///{path}")):
        with pytest.raises(Refusal, match=r"mlflow.db was written by a newer MLflow than 3.*install that one"):
            attempt()
    assert revision(path) == "fedcba987654"


def test_an_older_database_of_many_is_not_upgraded_in_passing() -> None:
    told = schema.outdated("postgresql://me:s3cr3t@db/fcn", None)
    assert told is not None
    assert told.startswith("postgresql://***@db/fcn was written by an older MLflow")
    assert told.endswith("upgrade it as docs/team.md says")
