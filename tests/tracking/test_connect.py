"""First contact survives company, and whatever does not answer is told in one line, in seconds, without a password."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from pipeline.core.types import Refusal
from pipeline.tracking.connect import connect
from tests.tracking import servers


@pytest.mark.slow
def test_eight_processes_that_meet_at_a_fresh_file_all_get_in(tmp_path: Path) -> None:
    """Without a lock five of six die in MLflow's schema migration."""
    assert servers.meet(None, tmp_path) == (0, {"1"}, "")


@contextmanager
def answering(status: int, kind: str, body: str) -> Iterator[str]:
    """A server that says the same to everyone."""

    class Same(http.server.BaseHTTPRequestHandler):
        asked: ClassVar[list[str]] = []

        def do_GET(self) -> None:
            self.asked.append(self.headers.get("Authorization", ""))
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
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:s3cr3t@{address}/there")
        with pytest.raises(Refusal, match=told) as refusal:
            connect(tmp_path)
    assert str(refusal.value).startswith(f"MLflow at http://***@{address}/there ")
    assert "s3cr3t" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "uri",
    [
        "http://me:s3cr3t@127.0.0.1:9/",
        "http://me:s3cr3t@nowhere.invalid",
        "postgresql://me:s3cr3t@127.0.0.1:9/fcn",
        "postgresql://127.0.0.1:9/fcn?user=me&password=s3cr3t",
        "ftp://me:s3cr3t@127.0.0.1/",
        "sqlite:////proc/nowhere/mlflow.db",
    ],
)
def test_who_does_not_answer_is_told_within_ten_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], uri: str
) -> None:
    pytest.importorskip("psycopg2")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    begun = time.monotonic()
    with pytest.raises(Refusal, match=r"start it, or unset MLFLOW_TRACKING_URI$") as refusal:
        connect(tmp_path)
    assert time.monotonic() - begun < 10
    assert "s3cr3t" not in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert capfd.readouterr() == ("", "")


def test_the_driver_of_postgresql_is_asked_for_by_its_uri_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg2", None)
    connect(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:s3cr3t@db/fcn")
    with pytest.raises(Refusal, match=r"postgresql.*@db/fcn needs psycopg2.*'fcn-pipeline\[team\]'") as refusal:
        connect(tmp_path)
    assert "s3cr3t" not in str(refusal.value)


def test_a_port_that_is_no_number_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:s3cr3t@db:port/fcn")
    with pytest.raises(Refusal, match=r"^postgresql\+psycopg2://\*\*\*@db:port/fcn is no URI: write"):
        connect(tmp_path)
