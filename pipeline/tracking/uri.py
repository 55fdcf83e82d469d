"""Where the tracking store is, how a message names it without its password, and whether its file was moved."""

import os
import re
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import unquote

from pipeline.core.types import Refusal
from pipeline.tracking.spool import clone

SQLITE = "sqlite:///"
POSTGRES = "postgresql"
HTTP = ("http://", "https://")
PLACES = (  # MLflow's tables, and their columns of such URIs
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
)


def chosen(root: Path, uri: str | None = None) -> str:
    """``uri``, or else $MLFLOW_TRACKING_URI, or else mlflow.db in the clone of ``root``, absolute.

    A PostgreSQL without a driver gets the one of the extra ``team``; SQLAlchemy 2.1 would take another.

    Raises Refusal for a store that is not kept here: a folder, which MLflow 3 gave up, or another database.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{clone(root) / 'mlflow.db'}"
    uri = re.sub(r"^postgres(ql)?://", "postgresql+psycopg2://", uri)
    if uri.startswith((SQLITE, POSTGRES, *HTTP)):
        return uri
    why = "is no database" if uri.startswith("file:") or ":" not in uri else "is of a kind that is not kept here"
    kinds = f"{SQLITE}/folder/mlflow.db, postgresql://… or http(s)://…"
    raise Refusal(f"MLflow's store {masked(uri)} {why}: set MLFLOW_TRACKING_URI to {kinds}, or unset it")


def artifacts(uri: str, root: Path) -> str | None:
    """Where a new experiment keeps its files: beside an SQLite file, in ``root``/mlartifacts for another database.

    $MLFLOW_DEFAULT_ARTIFACT_ROOT (``s3://…``), which `mlflow server` reads too, overrides. None: a server decides.
    """
    if uri.startswith(HTTP):
        return None
    folder = Path(uri.removeprefix(SQLITE)).parent if uri.startswith(SQLITE) else clone(root)
    return os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT") or (folder.resolve() / "mlartifacts").as_uri()


def masked(uri: str) -> str:
    """``uri`` without user, password and query."""
    if uri.startswith(SQLITE):
        return uri
    return re.sub(r"\?.*", "?***", re.sub(r"//.*@", "//***@", uri))


def reason(error: Exception, uri: str) -> str:
    """The first line of what ``error`` says, without what ``uri`` keeps secret."""
    text = next(iter(str(error).splitlines()), type(error).__name__)
    login, query = re.search(r"//(.*)@", uri), re.search(r"\?(.*)", uri)
    secrets = [*(login[1].split(":", 1)[1:] if login else []), *(re.split("[&=]", query[1])[1::2] if query else [])]
    if login:
        text = text.replace(f"{login[1]}@", "***@")
    for word in (form for secret in secrets for form in (secret, unquote(secret)) if form):
        text = text.replace(word, "***")
    return text


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
