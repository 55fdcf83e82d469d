"""A promotion through a tracking server: everything over HTTP, also weights as large as the paper's."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.tracking import registry
from pipeline.tracking.connect import connect
from tests.tracking import registered
from tests.tracking.registered import NAME, aliases, judged, promote, whole

VGG = 540 * 10**6  # bytes of FCN-VGG16: 134 million float32


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """MLflow's own, with artefacts through it, as a team runs it."""
    with warnings.catch_warnings(action="ignore"):
        connect(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(tmp_path / "artifacts")]
    log = tmp_path / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    uri = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert process.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(f"{uri}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        yield uri
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.mark.slow
def test_540_mb_are_promoted_rolled_back_and_told_of_through_a_server(server: str, tmp_path: Path) -> None:
    client, _ = registry.ask(tmp_path)
    experiment = client.create_experiment("through the server")  # the one made without it keeps its files elsewhere
    run = registered.run(client, experiment)
    promote(client, run, "small")
    assert whole(client, "1")
    champion = registry.champion(client, NAME)
    assert champion is not None
    assert champion.metrics == judged(0.5)["metrics"]
    with tempfile.TemporaryDirectory(dir=tmp_path) as scratch:
        folder = Path(scratch) / "model"
        registered.model(folder, "large")
        with (folder / "weights.bin").open("wb") as file:
            file.truncate(VGG)  # no disk until it is uploaded
        tags = {"weights.md5": "large", "promoted.by": "ada"}
        done = registry.promote(client, NAME, folder, run_id=run, tags=tags, gate=judged(0.6, "1"))
    assert (done.version, aliases(client)) == ("2", ("2", "1"))
    assert [path.stat().st_size for path in (tmp_path / "artifacts").rglob("weights.bin")].count(VGG) == 1
    registry.rollback(client, NAME, who="ada", why="too large")
    assert aliases(client) == ("1", "2")
    assert [move.kind for move in registry.history(client, NAME).moves] == ["promotion", "promotion", "rollback"]
    shutil.rmtree(tmp_path / "artifacts")
