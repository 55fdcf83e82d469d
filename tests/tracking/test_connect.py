"""First contact survives company; whatever does not answer is one line, in seconds, without a password."""

import http.server
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pipeline.core.types import Refusal
from pipeline.tracking import connect as connecting
from pipeline.tracking import spool, uri
from pipeline.tracking.connect import connect, upgrade
from tests.tracking import servers
from tests.tracking.servers import older


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", raising=False)


@pytest.mark.slow
def test_eight_processes_that_meet_at_a_fresh_file_all_get_in(tmp_path: Path) -> None:
    """Without a lock five of six die in MLflow's schema migration."""
    assert servers.meet(None, tmp_path) == (0, {"1"}, "")


@contextmanager
def answering(status: int, kind: str, body: str) -> Iterator[str]:
    """A server that says the same to everyone."""

    class Same(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Same) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def refusal(root: Path, monkeypatch: pytest.MonkeyPatch, store: str, match: str) -> str:
    """What ``connect`` says of ``store``: one line without the password."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    with pytest.raises(Refusal, match=match) as refused:
        connect(root)
    assert "s3cr3t" not in str(refused.value) and "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("status", "kind", "body", "told"),
    [
        (401, "text/html", "log in", "does not let you in .HTTP 401.: set MLFLOW_TRACKING_USERNAME"),
        (403, "application/json", '{"error_code": "PERMISSION_DENIED"}', "does not let you in .HTTP 403."),
        (403, "text/plain", "Invalid Host header - possible DNS rebinding attack detected", "--allowed-hosts"),
        (404, "text/html", "<h1>Not Found</h1>", "is no MLflow server .HTTP 404.*correct MLFLOW_TRACKING_URI"),
        (200, "text/html", "<h1>Jupyter</h1>", "is no MLflow server .HTTP 200.*correct MLFLOW_TRACKING_URI"),
        (500, "application/json", '{"error_code": "INTERNAL_ERROR"}', "is out of order .HTTP 500.: its log"),
    ],
)
def test_a_server_that_will_not_do_is_told_by_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, kind: str, body: str, told: str
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    with answering(status, kind, body) as address:
        said = refusal(tmp_path, monkeypatch, f"http://me:s3cr3t@{address}/there", told)
    assert said.startswith(f"MLflow at http://***@{address}/there ")


AWAY = r"start it, or unset MLFLOW_TRACKING_URI$"
KINDS = "set MLFLOW_TRACKING_URI to sqlite:////folder/mlflow.db, postgresql://… or http.s.://…, or unset it$"


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ("http://me:s3cr3t@127.0.0.1:9/", AWAY),
        ("http://me:s3cr3t@nowhere.invalid", AWAY),
        ("postgresql://me:s3cr3t@127.0.0.1:9/fcn", AWAY),
        ("postgresql://127.0.0.1:9/fcn?user=me&password=s3cr3t", AWAY),
        ("sqlite:////proc/nowhere/mlflow.db", AWAY),
        ("postgresql://me:s3cr3t@db:port/fcn", r"^postgresql\+psycopg2://\*\*\*@db:port/fcn is no URI: write"),
        ("mysql+pymysql://me:s3cr3t@db/fcn", f"of a kind that is not kept here: {KINDS}"),
        ("ftp://me:s3cr3t@127.0.0.1/", KINDS),
        ("file:///runs/mlruns", f"file:///runs/mlruns is no database: {KINDS}"),
        ("./mlruns", f"is no database: {KINDS}"),
        ("databricks", KINDS),
    ],
)
def test_a_store_that_cannot_be_is_told_within_ten_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], store: str, told: str
) -> None:
    pytest.importorskip("psycopg2")
    begun = time.monotonic()
    refusal(tmp_path, monkeypatch, store, told)
    assert time.monotonic() - begun < 10
    assert capfd.readouterr() == ("", "")


def test_without_a_driver_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    told = r"postgresql.*@db/fcn needs psycopg2.*'fcn-pipeline\[team\]'"
    refusal(tmp_path, monkeypatch, "postgresql://me:s3cr3t@db/fcn", told)


def revision(path: Path) -> str:
    with closing(sqlite3.connect(path)) as database:
        return str(database.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def test_an_older_file_is_refused_until_it_is_upgraded_and_kept_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    before = older(path)
    with pytest.raises(Refusal, match=r"mlflow.db was written by an older MLflow than 3.*: `fcn ui` keeps a copy"):
        connect(tmp_path)
    assert revision(path) == before, "refused before writing"
    kept = upgrade(f"sqlite:///{path}")
    assert kept == f"{path}.{before}"
    assert revision(Path(kept)) == before != revision(path)
    assert upgrade(f"sqlite:///{path}") is None
    connect(tmp_path)


def test_a_newer_file_and_an_older_database_of_many_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    upgrade(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = 'fedcba987654'")
        database.commit()
    for attempt in (lambda: connect(tmp_path), lambda: upgrade(f"sqlite:///{path}")):
        with pytest.raises(Refusal, match=r"mlflow.db was written by a newer MLflow than 3.*install that one"):
            attempt()
    assert revision(path) == "fedcba987654"
    told = r"^postgresql://\*\*\*@db/fcn was written by an older .*docs/team.md upgrades it$"
    with pytest.raises(Refusal, match=told):
        connecting._older("postgresql://me:s3cr3t@db/fcn", None, refuse=True)


@pytest.mark.parametrize("work", [".", ".dvc/tmp/exps/tmpab12", ".dvc/tmp/exps/standalone/tmpab12"])
def test_a_temporary_workspace_of_dvc_is_tracked_in_its_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    """`dvc exp run --temp` and `--queue` remove theirs."""
    monkeypatch.delenv("FCN_SPOOL", raising=False)
    (tmp_path / work).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / work)
    assert spool.place() == tmp_path / ".spool"
    assert uri.chosen(tmp_path / work) == f"sqlite:///{tmp_path}/mlflow.db"
    assert uri.artifacts("postgresql://db/fcn", tmp_path / work) == f"file://{tmp_path}/mlartifacts"


def test_the_store_is_what_is_asked_for_then_the_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://a")
    assert uri.chosen(tmp_path) == "http://a"
    assert uri.chosen(tmp_path, "http://b") == "http://b"
    for scheme in ("postgres", "postgresql", "postgresql+psycopg2"):  # by the driver that the extra installs
        assert uri.chosen(tmp_path, f"{scheme}://me@db/fcn") == "postgresql+psycopg2://me@db/fcn"
    assert uri.artifacts("sqlite:////data/mlflow.db", tmp_path) == "file:///data/mlartifacts"
    monkeypatch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", "s3://fcn")
    assert uri.artifacts("postgresql://db/fcn", tmp_path) == "s3://fcn"
    assert uri.artifacts("http://server", tmp_path) is None


@pytest.mark.parametrize(
    ("store", "said", "reason"),
    [
        ("http://me:p%40ss@server/", "to http://me:p%40ss@server/api", "to http://***@server/api"),
        ("http://me:p%40ss@server/", "login me, p@ss: no such user\nTraceback", "login me, ***: no such user"),
        ("postgresql://db/fcn?user=me&password=p%40ss", "no p@ss, no p%40ss", "no ***, no ***"),
        ("http://server", "", "ValueError"),
    ],
)
def test_an_error_is_told_in_its_first_line_without_the_password(store: str, said: str, reason: str) -> None:
    assert uri.reason(ValueError(said), store) == reason
