"""fcn ui: an older database is brought up, the browser of this machine gets in and nobody else, and nothing is left."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from ops import doctor, ui
from pipeline.registry.ui import TAG, VIEWS
from pipeline.tracking import uri as store
from pipeline.tracking.connect import connect
from tests.launch import fcn
from tests.ops.test_run import environment
from tests.tracking import servers
from tests.tracking.servers import older


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
    known = {**environment(), "MLFLOW_TRACKING_URI": ""}
    with log.open("w") as file:
        command = [sys.executable, "-m", "ops.fcn", "ui", "--port", str(port)]
        process = subprocess.Popen(command, cwd=tmp_path, env=known, stdout=file, stderr=file)
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
    said = fcn("ui", *arguments, code=1).output
    assert said.startswith("Error: ") and said.count("\n") == 1
    return said


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with a database; starting MLflow there is an error."""
    (tmp_path / "mlflow.db").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.setattr(ui, "supervise", lambda command: pytest.fail(f"started {command}"))
    return tmp_path


def test_without_a_database_or_a_free_port_the_remedy_is_told(here: Path) -> None:
    (here / "mlflow.db").unlink()
    assert refused() == f"Error: no {here}/mlflow.db: `fcn run` makes it, --uri names another store\n"
    assert list(here.iterdir()) == []
    (here / "mlflow.db").touch()
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


@pytest.fixture
def started(here: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words of the process that would be started."""
    words: list[str] = []
    monkeypatch.setattr(ui, "supervise", lambda command: words.extend(command) or 0)
    return words


def test_what_is_opened_to_others_is_told(started: list[str]) -> None:
    port = str(servers.free_port())
    done = fcn("ui", "--host", "0.0.0.0", "--port", port, "--allowed-hosts", "box.example", code=0)
    assert f"http://0.0.0.0:{port} is open: without a password" in done.output
    assert "--disable-security-middleware" not in started
    names = started[started.index("--allowed-hosts") + 1].split(",")
    assert {"box.example", f"box.example:{port}", f"localhost:{port}"} <= set(names)
    assert not [name for name in names if "*" in name]


def test_a_password_stays_out_of_the_list_of_processes(started: list[str]) -> None:
    uri = "postgresql://me:s3cr3t@127.0.0.1:9/fcn"
    done = fcn("ui", "--uri", uri, "--port", str(servers.free_port()), code=0)
    assert "s3cr3t" not in " ".join([done.output, *started])
    assert os.environ["MLFLOW_TRACKING_URI"] == "postgresql+psycopg2://me:s3cr3t@127.0.0.1:9/fcn"


def test_a_database_that_was_copied_with_its_files_finds_them_again(
    tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("FCN_TRACKING", raising=False)
    (old := tmp_path / "old").mkdir()
    shutil.copy(tables, old / "mlflow.db")
    client, experiment = connect(old)
    run = client.create_run(experiment).info.run_id
    client.log_text(run, "kept", "note.txt")
    new = Path(shutil.copytree(old, tmp_path / "new"))
    uri, was = f"sqlite:///{new}/mlflow.db", (old / "mlartifacts").as_uri()
    assert [store.moved_from(f"sqlite:///{old}/mlflow.db"), store.moved_from(uri)] == ["", was]
    told = f"mlflow.db says that runs keep their files in {was}, where it came from: fcn ui mends it"
    assert [*doctor.mlflow(new, {})][1:] == [("fix", told)]
    store.reroot(uri, was)
    shutil.rmtree(old)
    assert Path(connect(new)[0].download_artifacts(run, "note.txt")).read_text() == "kept"
    assert [state for state, _ in doctor.mlflow(new, {})] == ["ok"]
