"""How long stages took, as live runs tell."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.tracking import lasted
from pipeline.tracking.connect import connect


def test_the_newest_finished_live_run_that_agrees_counts(
    tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(tables, tmp_path / "mlflow.db")
    client, experiment = connect(tmp_path)

    def took(stage: str, seconds: int, end: str = "FINISHED", live: bool = True, scale: str = "miniature") -> None:
        tags = {"dvc.stage": stage, **({"live.device": "cpu AVX2"} if live else {})}
        nonlocal clock
        clock += 1_000_000
        run = client.create_run(experiment, start_time=clock, tags=tags)
        client.log_param(run.info.run_id, "scale", scale)
        client.set_terminated(run.info.run_id, end, clock + 1000 * seconds)

    clock = 0
    took("train@a", 50)
    took("train@a", 60)
    took("train@a", 3, end="KILLED")
    took("train@a", 1, live=False)
    took("train@a", 9000, scale="paper")
    took("train@b", 70)
    wanted = {"train@a": {"scale": "miniature", "lr": "1"}, "train@c": {}}
    assert lasted.seconds(tmp_path, wanted) == {"train@a": 60.0}
