"""MLflow: whether it answers, lets us in, and keeps its runs in this MLflow's tables."""

from __future__ import annotations

import http.client
import importlib.util
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from ops._doctor import apart
from ops._doctor.finding import FIX, NOTE, OK, SKIP, Finding, Params
from pipeline.core.types import Refusal
from pipeline.tracking import uri as store

PATIENCE = 5.0  # seconds: connect alone would ask a silent server twice, for 4 each


def check(root: Path, params: Params) -> Iterator[Finding]:
    """The store that stages would log to; an absent mlflow.db is not made."""
    uri = store.chosen(root)
    file = uri.removeprefix(store.SQLITE) if uri.startswith(store.SQLITE) else None
    if os.environ.get("FCN_TRACKING") == "off":
        yield Finding("mlflow", SKIP, "FCN_TRACKING is off: stages tell nothing")
    elif importlib.util.find_spec("mlflow") is None:
        yield Finding("mlflow", SKIP, "MLflow is not installed: stages write .spool, and `fcn sync` elsewhere sends it")
    elif file and not Path(file).exists():
        yield Finding("mlflow", NOTE, f"no {Path(file).name} yet: the first run makes it")
    elif uri.startswith(store.HTTP) and (why := _silence(uri)):
        remedy = "start it, or unset MLFLOW_TRACKING_URI"
        yield Finding("mlflow", FIX, f"MLflow at {store.masked(uri)} does not answer ({why}): {remedy}")
    else:
        yield from apart.ask("ops._doctor.store", "mlflow", root, PATIENCE)


def _silence(uri: str) -> str | None:
    """Why no web server answers at all, known before MLflow is imported, which takes seconds; None where one does."""
    parts = urlsplit(uri)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    try:
        urllib.request.urlopen(f"{bare.rstrip('/')}/health", timeout=PATIENCE).close()
    except TimeoutError:
        return f"nothing within {PATIENCE:.0f} s"
    except urllib.error.URLError as error:
        odd = isinstance(error, urllib.error.HTTPError) or isinstance(error.reason, ssl.SSLError)
        return None if odd else getattr(error.reason, "strerror", None) or str(error.reason)
    except (OSError, ValueError, http.client.HTTPException):
        return None  # MLflow's client tells it better
    return None


def main() -> None:
    """In a process of its own."""
    root, uri = Path.cwd(), store.chosen(Path.cwd())
    from mlflow.version import VERSION
    from sqlalchemy.exc import SQLAlchemyError

    from pipeline.tracking import connect, schema

    name = f"MLflow at {store.masked(uri)}"
    apart.begin([name])
    try:
        if uri.startswith(store.HTTP):
            connect.connect(root)
            apart.tell(name, OK, f"{store.masked(uri)} answers and lets you in")
        else:
            schema.check(uri)  # connect would make the tables of a fresh PostgreSQL
            apart.tell(name, OK, f"{store.masked(uri)} answers, and no other MLflow than {VERSION} wrote it")
    except Refusal as refusal:
        apart.tell(name, FIX, str(refusal))
    except SQLAlchemyError as error:
        remedy = "start it, or unset MLFLOW_TRACKING_URI"
        apart.tell(name, FIX, f"{name} does not answer ({store.reason(error, uri)}): {remedy}")


if __name__ == "__main__":
    main()
