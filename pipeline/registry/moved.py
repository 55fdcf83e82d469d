"""Find the files of runs again whose database was moved or copied together with them: MLflow keeps absolute URIs."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from pipeline.tracking.uri import SQLITE

PLACES = (  # MLflow's tables, and their columns of such URIs
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
)


def moved_from(uri: str) -> str:
    """The URI of the folder in which an SQLite file says its runs' files are, if it came from there; else empty."""
    database = Path(uri.removeprefix(SQLITE))
    if not uri.startswith(SQLITE) or not database.exists():
        return ""
    here = database.resolve().parent / "mlartifacts"
    with suppress(sqlite3.Error), closing(sqlite3.connect(database)) as tables:  # MLflow tells what is no database
        for (was,) in tables.execute("select artifact_location from experiments where name = 'fcn'"):
            if was != here.as_uri() and was.startswith("file:") and was.endswith(f"/{here.name}"):
                return str(was) if here.exists() or not Path(was.removeprefix("file://")).exists() else ""
    return ""


def reroot(uri: str, was: str) -> None:
    """Have the SQLite file look beside itself for what it kept in the folder ``was``."""
    database = Path(uri.removeprefix(SQLITE))
    here = (database.resolve().parent / "mlartifacts").as_uri()
    with closing(sqlite3.connect(database)) as tables, tables:
        for table, column in PLACES:
            change = f"update {table} set {column} = ? || substr({column}, ?) where substr({column} || '/', 1, ?) = ?"
            tables.execute(change, (here, len(was) + 1, len(was) + 1, f"{was}/"))
