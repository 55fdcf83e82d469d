"""A team's store: PostgreSQL, a server before it, files in a folder or in S3; and nobody tells its password."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import boto3
import pytest
import sqlalchemy
import yaml
from PIL import Image

from pipeline.registry import ui
from pipeline.tracking.connect import EXPERIMENT, connect
from pipeline.tracking.publish import publish
from pipeline.tracking.record import RunRecord
from tests.closure import ROOT
from tests.tracking import servers

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with servers.postgres() as uri:
        yield uri


def database(postgres: str, name: str) -> str:
    """The URI of a new database."""
    engine = sqlalchemy.create_engine(f"{postgres}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{postgres}/{name}"


def experiments(uri: str) -> list[str]:
    engine = sqlalchemy.create_engine(uri)
    with engine.connect() as connection:
        names = [str(row[0]) for row in connection.execute(sqlalchemy.text("SELECT name FROM experiments"))]
    engine.dispose()
    return sorted(names)


def pipeline(folder: Path) -> tuple[RunRecord, list[RunRecord]]:
    """A parent and a child with a metric, a curve, a panel and a table."""
    (folder / "panels").mkdir()
    Image.new("RGB", (3, 2), (10, 20, 30)).save(folder / "panels/2007_000033.png")
    (folder / "table.md").write_text("| a |\n")
    child = RunRecord(
        stage="evaluate@voc-fcn8s",
        tags={"dvc.stage": "evaluate@voc-fcn8s", "dvc.inputs": "in", "dvc.outputs": "out"},
        metrics={"mean_iu/semantic": 0.5},
        curves={"loss": [(1, 4.0), (2, 2.0)]},
        artifacts=[folder / "panels/2007_000033.png", folder / "table.md"],
    )
    return RunRecord(stage="abc+def", tags={"dvc.lock": "digest", "git.commit": "abc"}), [child]


def assert_goes_in_and_comes_back(root: Path) -> None:
    assert publish(*pipeline(root), root).startswith("1 new runs")
    client, experiment = connect(root)
    (run,) = client.search_runs([experiment], "tags.`dvc.stage` = 'evaluate@voc-fcn8s'")
    assert run.data.metrics["mean_iu/semantic"] == 0.5
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(1, 4.0), (2, 2.0)]
    (root / "back").mkdir()
    (image,) = [row.path for row in client.list_artifacts(run.info.run_id, "images") if row.path.endswith(".png")]
    with Image.open(client.download_artifacts(run.info.run_id, image, str(root / "back"))) as picture:
        assert picture.convert("RGB").getpixel((0, 0)) == (10, 20, 30)
    assert Path(client.download_artifacts(run.info.run_id, "table.md", str(root / "back"))).read_text() == "| a |\n"


def test_eight_processes_that_meet_at_a_fresh_database_all_get_in(postgres: str, tmp_path: Path) -> None:
    """Without the lock, seven of eight die in the migration."""
    uri = database(postgres, "direct")
    failed, met, complaints = servers.meet(uri.replace("+psycopg2", ""), tmp_path)
    assert (failed, complaints) == (0, "")
    assert len(met) == 1
    assert experiments(uri) == ["Default", EXPERIMENT]


def test_clients_of_a_server_before_s3_need_no_key_and_get_their_files_back(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bucket is made by compose.yaml's own command, twice, as after every restart."""
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    keys = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_DEFAULT_REGION": "us-east-1"}
    for name in keys:
        monkeypatch.delenv(name, raising=False)
    port = str(servers.free_port())
    s3 = f"http://127.0.0.1:{port}"
    keys |= {"MLFLOW_S3_ENDPOINT_URL": s3, "AWS_ENDPOINT_URL_S3": s3}
    assert keys.keys() <= compose["server"]["environment"].keys()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port]
    with servers.running(command, f"{s3}/moto-api/data.json", {}, tmp_path / "s3.log"):
        for _ in range(2):
            made = [sys.executable, *compose["bucket"]["command"][1:]]
            subprocess.run(made, check=True, env={**os.environ, **keys})
        (destination,) = [flag for flag in compose["server"]["command"] if flag.startswith("--artifacts-destination=")]
        uri = database(postgres, "s3")
        bare, keys["PGPASSWORD"] = uri.replace(f":{servers.QUOTED}", ""), servers.PASSWORD
        with servers.mlflow_server(bare, destination.partition("=")[2], tmp_path, **keys) as server:
            failed, met, complaints = servers.meet(server, tmp_path)
            assert (failed, len(met), complaints) == (0, 1, "")
            assert experiments(uri) == ["Default", EXPERIMENT]
            monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
            assert_goes_in_and_comes_back(tmp_path)
            links = [sys.executable, "-m", "ops.fcn", "ui"]
            told = subprocess.run(links, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60).stdout
            assert told.startswith(f"MLflow is at {server}\n")
            assert all(view.link(server, *met) in told for view in ui.VIEWS)
        log = (tmp_path / "mlflow.log").read_text()
        assert servers.PASSWORD not in log and servers.QUOTED not in log
        login = {"aws_access_key_id": "id", "aws_secret_access_key": "key", "region_name": "us-east-1"}
        with closing(boto3.client("s3", endpoint_url=s3, **login)) as client:
            stored = [row["Key"] for row in client.list_objects_v2(Bucket="mlflow")["Contents"]]
    assert [key for key in stored if key.endswith("/artifacts/table.md")]
