"""Real servers and stores for a test, clients that arrive at once, and a connection that breaks."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from alembic import command
from alembic.script import ScriptDirectory
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.db import utils
from mlflow.store.tracking.dbmodels.initial_models import Base

from tests.closure import ROOT

PASSWORD = "s3cr3t word"  # with a space: URIs carry it quoted
QUOTED = "s3cr3t%20word"
# One process imports MLflow, which takes 3 s, and forks: its children meet the store within milliseconds.
CONTACT = """
import os, sys
from pathlib import Path
from pipeline.tracking.connect import connect
gate, opened = os.pipe()
children = []
for _ in range(8):
    child = os.fork()
    if not child:
        code = 1
        os.close(opened)
        os.read(gate, 1)
        try:
            print(connect(Path(sys.argv[1]))[1], flush=True)
            code = 0
        finally:
            os._exit(code)
    children.append(child)
os.close(opened)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


def meet(uri: str | None, root: Path) -> tuple[int, set[str], str]:
    """Eight processes connect at once: how many failed, the experiments they got, what they complained of."""
    environment = {**os.environ, **({"MLFLOW_TRACKING_URI": uri} if uri else {})}
    contact = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", CONTACT, str(root)]
    done = subprocess.run(contact, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)
    return done.returncode, set(done.stdout.split()), done.stderr


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def running(program: list[str], url: str, environment: Mapping[str, str], log: Path) -> Iterator[None]:
    """Run ``program`` until the block ends; the block begins when ``url`` answers."""
    with log.open("w") as file:
        process = subprocess.Popen(program, cwd=log.parent, env={**os.environ, **environment}, stdout=file, stderr=file)
    try:
        wait(url, process, log)
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


def wait(url: str, process: subprocess.Popen[str] | subprocess.Popen[bytes], log: Path) -> None:
    """Until ``url`` answers; fails with the log when ``process`` ends before, or after 120 s."""
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"{url} does not answer:\n{log.read_text()}")


@contextmanager
def mlflow_server(
    store: str, artifacts: str, folder: Path, port: int | None = None, **environment: str
) -> Iterator[str]:
    """The URI of `mlflow server` before ``store``, with files in ``artifacts``, at ``port`` or a free one."""
    url = f"http://127.0.0.1:{port or free_port()}"
    flags = ["--host", "127.0.0.1", "--port", url.rpartition(":")[2], "--workers", "1"]
    settings = {
        "MLFLOW_BACKEND_STORE_URI": store,
        "MLFLOW_ARTIFACTS_DESTINATION": artifacts,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        **environment,
    }
    with running([sys.executable, "-m", "mlflow", "server", *flags], f"{url}/health", settings, folder / "mlflow.log"):
        yield url


@contextmanager
def postgres() -> Iterator[str]:
    """The URI, but for a database's name, of a PostgreSQL with user fcn and ``PASSWORD``, of this test alone."""
    programs = binaries()
    user = "postgres" if os.getuid() == 0 else None  # it refuses root
    folder = Path(tempfile.mkdtemp(prefix="fcn-postgres-"))
    port = free_port()
    try:
        (folder / "password").write_text(PASSWORD)
        if user:
            for path in (folder, folder / "password"):
                shutil.chown(path, user)
        options = ["-D", str(folder / "db"), "-A", "scram-sha-256", "-U", "fcn", "--no-sync", "--locale=C.UTF-8"]
        init = [str(programs / "initdb"), *options, f"--pwfile={folder / 'password'}"]
        subprocess.run(init, cwd=folder, user=user, check=True, capture_output=True)
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "fsync": "off"}
        flags = [flag for name, value in settings.items() for flag in ("-c", f"{name}={value}")]
        server = [str(programs / "postgres"), "-D", str(folder / "db"), "-p", str(port), *flags]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(server, cwd=folder, user=user, stdout=log, stderr=log)
        try:
            ready = [str(programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-q"]
            while subprocess.run(ready, check=False).returncode:
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
            yield f"postgresql+psycopg2://fcn:{QUOTED}@127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)  # SIGTERM would wait for its clients to go
            process.wait(timeout=60)
    finally:
        shutil.rmtree(folder)


def binaries() -> Path:
    """PostgreSQL's programs; Debian's lie outside of PATH. Skips where there are none."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    if os.getuid() == 0 and subprocess.run(["id", "postgres"], check=False, capture_output=True).returncode:
        pytest.skip("PostgreSQL refuses root, and there is no user postgres")
    return folders[-1]


def older(path: Path) -> str:
    """Write a database as the MLflow before the latest revision left it; returns its revision."""
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    config = utils._get_alembic_config("")
    script = ScriptDirectory.from_config(config)
    (head,) = script.get_heads()
    before = str(script.get_revision(head).down_revision)
    Base.metadata.create_all(engine)
    with engine.begin() as connection, warnings.catch_warnings(action="ignore"):  # alembic's, of MLflow's migrations
        config.attributes["connection"] = connection
        command.upgrade(config, before)
    engine.dispose()
    return before


def unplug(
    patch: pytest.MonkeyPatch,
    requests: Iterable[str],
    *,
    at: int,
    after: bool = False,
    error: type[BaseException] = MlflowException,
) -> None:
    """Break the client's request ``at``, counted from 1, of those named, before or after it has done its work."""
    calls = count(1)

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*args: Any, **named: Any) -> Any:
            here = next(calls) == at
            done = None if here and not after else call(*args, **named)
            if here:
                raise error("unplugged")
            return done

        return instead

    for name in requests:
        patch.setattr(MlflowClient, name, counted(getattr(MlflowClient, name)))
