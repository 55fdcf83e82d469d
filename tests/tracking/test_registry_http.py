"""A promotion through a tracking server: everything over HTTP, also weights as large as the paper's."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.tracking import registry
from tests.tracking import registered
from tests.tracking.registered import NAME, aliases, judged, promote, whole
from tests.tracking.servers import mlflow_server

VGG = 540 * 10**6  # bytes of FCN-VGG16: 134 million float32


@pytest.fixture
def server(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """MLflow's own, with artefacts through it, as a team runs it."""
    shutil.copy(tables, tmp_path / "mlflow.db")
    with mlflow_server(f"sqlite:///{tmp_path / 'mlflow.db'}", str(tmp_path / "artifacts"), tmp_path) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        yield uri


@pytest.mark.slow
def test_540_mb_are_promoted_rolled_back_and_told_of_through_a_server(server: str, tmp_path: Path) -> None:
    client, _ = registry.ask(tmp_path)
    run = registered.run(client, client.create_experiment("through the server"))
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
