"""A promotion through a tracking server: everything over HTTP, also weights as large as the paper's."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.registry import champion
from pipeline.tracking.connect import connect_existing
from tests.registry import registered
from tests.registry.registered import NAME, aliases, judged, promote, whole
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
    client, _ = connect_existing(tmp_path)
    run = registered.run(client, client.create_experiment("through the server"))
    promote(client, run, "small")
    assert whole(client, "1")
    now = champion.champion(client, NAME)
    assert now is not None
    assert now.metrics == judged(0.5)["metrics"]
    with tempfile.TemporaryDirectory(dir=tmp_path) as scratch:
        folder = Path(scratch) / "model"
        registered.model(folder, "large")
        with (folder / "weights.bin").open("wb") as file:
            file.truncate(VGG)  # no disk until it is uploaded
        of = {"run": client.get_run(run), "tags": {"weights.md5": "large"}, "who": "ada"}
        number, _ = champion.promote(client, NAME, folder, gate=judged(0.6, "1"), **of)
    assert (number, aliases(client)) == ("2", ("2", "1"))
    assert [path.stat().st_size for path in (tmp_path / "artifacts").rglob("weights.bin")].count(VGG) == 1
    champion.rollback(client, NAME, who="ada", why="too large")
    assert aliases(client) == ("1", "2")
    moves = champion.history(client, NAME).moves
    assert [move.kind for move in moves] == ["promotion", "promotion", "rollback"]
    shutil.rmtree(tmp_path / "artifacts")
