"""fcn ui: an older database is brought up, the browser of this machine gets in and nobody else, and nothing is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from ops import ui
from pipeline.core.types import Refusal
from pipeline.registry import ui as address
from pipeline.registry.ui import TAG, VIEWS
from tests.closure import ROOT
from tests.tracking import servers
from tests.tracking.servers import older


def environment() -> dict[str, str]:
    return {**{k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}, "PYTHONPATH": str(ROOT)}


def status(url: str, host: str | None = None) -> int:
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.slow
def test_an_older_database_is_shown_to_this_machine_alone_until_the_server_ends_without_a_trace(tmp_path: Path) -> None:
    before = older(tmp_path / "mlflow.db")
    port = servers.free_port()
    url, log = f"http://127.0.0.1:{port}", tmp_path / "ui.log"
    with log.open("w") as file:
        command = [sys.executable, "-m", "ops.fcn", "ui", "--port", str(port)]
        process = subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=file, stderr=file)
    try:
        servers.wait(f"{url}/health", process, log)
        assert status(url) == status(url, f"localhost:{port}") == 200
        for name in ("evil.example", "10.evil.example", "192.168.0.1"):
            assert status(url, name) == 403, name
        experiment = f"{url}/api/2.0/mlflow/experiments/get-by-name?experiment_name=fcn"
        with urllib.request.urlopen(experiment, timeout=20) as answer:
            text = answer.read().decode()
        assert f"file://{tmp_path}/mlartifacts" in text
        assert all(f"{TAG}{view.key}" in text for view in VIEWS)
        family = [process, *psutil.Process(process.pid).children(recursive=True)]
        assert len(family) == 3, "this, MLflow and its one worker"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 128 + signal.SIGTERM
    assert [child.pid for child in family if psutil.pid_exists(child.pid)] == []
    told = log.read_text()
    assert f"as it was it lies in {tmp_path}/mlflow.db.{before}" in told
    assert f"MLflow is at {url} (Ctrl-C ends it)" in told
    assert all(f"{view.link(url, '1')}  {view.name}\n" in told for view in VIEWS)


def refused(*arguments: str) -> str:
    done = CliRunner().invoke(ui.main, list(arguments))
    assert done.exit_code == 1
    assert done.output.startswith("Error: ")
    assert done.output.count("\n") == 1
    return done.output


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with a database; starting MLflow there is an error."""
    (tmp_path / "mlflow.db").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.setattr(ui, "supervise", lambda command: pytest.fail(f"started {command}"))
    return tmp_path


def test_without_a_database_the_remedy_is_told(here: Path) -> None:
    (here / "mlflow.db").unlink()
    assert refused() == f"Error: no {here}/mlflow.db: `fcn run` makes it, --uri names another store\n"
    assert list(here.iterdir()) == []


def test_a_busy_port_is_told_with_another(here: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = refused("--port", str(port))
    assert f"cannot listen on 127.0.0.1:{port}, address already in use: try --port {port + 1}" in told


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--host", "nowhere.invalid"), "127.0.0.1"),
        (("--host", "192.0.2.1"), "127.0.0.1"),  # RFC 5737: nobody's address
        (("--host", "0.0.0.0"), "give --allowed-hosts"),
        (("--allowed-hosts", "a.example,*"), "name the hosts"),
    ],
)
def test_addresses_are_this_machine_s_and_hosts_have_names(here: Path, arguments: tuple[str, ...], reason: str) -> None:
    assert reason in refused(*arguments)


def test_what_is_opened_to_others_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(ui, "supervise", lambda command: started.append(command) or 0)
    port = servers.free_port()
    done = CliRunner().invoke(ui.main, ["--host", "0.0.0.0", "--port", str(port), "--allowed-hosts", "box.example"])
    assert done.exit_code == 0
    assert f"http://0.0.0.0:{port} is open: without a password" in done.output
    (command,) = started
    assert "--disable-security-middleware" not in command
    names = command[command.index("--hosts") + 1].split(",")
    assert {"box.example", f"box.example:{port}", f"localhost:{port}"} <= set(names)
    assert not [name for name in names if "*" in name]


def test_a_password_stays_out_of_the_list_of_processes(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(ui, "supervise", lambda command: started.append(command) or 0)
    uri = "postgresql://me:s3cr3t@127.0.0.1:9/fcn"
    done = CliRunner().invoke(ui.main, ["--uri", uri, "--port", str(servers.free_port())])
    assert done.exit_code == 0
    assert "s3cr3t" not in " ".join([done.output, *started[0]])
    assert os.environ["MLFLOW_TRACKING_URI"] == "postgresql+psycopg2://me:s3cr3t@127.0.0.1:9/fcn"


def test_names_hold_with_and_without_the_port_and_ipv6_in_brackets() -> None:
    assert address.hosts("::1", 80, "") == [
        "localhost",
        "localhost:80",
        "127.0.0.1",
        "127.0.0.1:80",
        "[::1]",
        "[::1]:80",
    ]
    assert address.listen_at("localhost", servers.free_port()).startswith("http://localhost:")
    with pytest.raises(Refusal, match="is no name"):
        address.hosts("::", 80, "")
