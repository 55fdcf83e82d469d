"""``fcn report`` sets beside the results what they cost here, in a file that is no result."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from mlflow.entities import Metric

from ops import report
from pipeline.tracking.connect import connect
from pipeline.tracking.took import energy
from stages._records import identity
from stages.shared.dvc import entries
from tests.stages.world import enter


@pytest.fixture
def world(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline with a page, whose training of voc-fcn8s was live for two minutes on a GPU of 100 to 300 W."""
    enter(tmp_path, tables, monkeypatch)
    (tmp_path / "results/report.html").write_text("<p>page</p>")
    (tmp_path / "results/report.md").write_text("# Page\n\n## What it takes\n\n## Table by table\n\nlast\n")
    client, experiment = connect(tmp_path)
    tags = {**identity(entries(tmp_path)["train@voc-fcn8s"]), "live.device": "NVIDIA H100"}
    run = client.create_run(experiment, 1000, tags).info.run_id
    told = {"images_per_second": (30, 50), "system/system_memory_usage_megabytes": (2000, 1500)}
    told |= {"system/gpu_0_power_usage_watts": (100, 300), "system/gpu_0_memory_usage_megabytes": (400, 40_000)}
    points = [
        Metric(key, value, 1000 + 60_000 * k, k) for key, values in told.items() for k, value in enumerate(values, 1)
    ]
    client.log_batch(run, metrics=points)
    client.set_terminated(run, end_time=121_000)
    return tmp_path


def invoke(*args: str) -> Result:
    return CliRunner().invoke(report.main, args)


def test_the_page_tells_time_speed_memory_and_energy_of_what_ran_here(world: Path) -> None:
    before = {path: path.read_bytes() for path in (world / "results").iterdir()}
    done = invoke("--out", "shown/page.html")
    assert (done.exit_code, done.output) == (0, "shown/page.html: stages whose cost is told: 1\n")
    page = (world / "shown/page.html").read_text()
    titles = [page.index(f">{title}</h2>") for title in ("What it takes", "What it cost here", "Table by table")]
    assert titles == sorted(titles)
    row = page.split("<td>train@voc-fcn8s</td>")[1].split("</tr>")[0]
    cells = [cell.split("</td>")[0] for cell in row.replace(' class="right"', "").split("<td>")[1:]]
    assert cells == ["NVIDIA H100", "2 min", "40.0", "2.0 GB", "40 GB", "0.003"]
    assert {path: path.read_bytes() for path in (world / "results").iterdir()} == before


def test_energy_is_the_area_under_the_power() -> None:
    assert energy([(3_600_000, 300.0), (0, 100.0)]) == pytest.approx(0.2)
    assert energy([(5, 100.0)]) == 0


@pytest.mark.parametrize("name", ["report.html", "report.md"])
def test_without_a_page_it_says_how_to_have_one(world: Path, name: str) -> None:
    (world / "results" / name).unlink()
    done = invoke()
    assert done.exit_code == 1
    assert done.output.startswith(f"Error: results/{name} is not here: fcn run report makes it, dvc pull results/")
    assert not (world / "report.html").exists()


def test_a_result_is_not_written_over(world: Path) -> None:
    done = invoke("--out", "results/report.html")
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert "is among the results" in done.output
    assert (world / "results/report.html").read_text() == "<p>page</p>"


def test_without_a_tracking_server_nothing_is_written_and_no_database_made(world: Path) -> None:
    (world / "mlflow.db").unlink()
    done = invoke()
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert "set MLFLOW_TRACKING_URI" in done.output
    assert not {"report.html", "mlflow.db"} & {path.name for path in world.iterdir()}
