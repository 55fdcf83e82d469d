"""A follower asks the server once, and again only when somebody else has sent."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from pipeline.tracking import spool
from pipeline.tracking.spool import Spool
from tests.tracking.sending import Unplugged, follower, runs, send, steps


@pytest.fixture(autouse=True)
def store(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(tables, tmp_path / "mlflow.db")


def counted(name: str, calls: list[str], patch: pytest.MonkeyPatch) -> None:
    """Have ``calls`` grow by ``name`` when an MlflowClient is asked for it."""
    call = getattr(MlflowClient, name)
    patch.setattr(MlflowClient, name, lambda *args, **kwargs: calls.append(name) or call(*args, **kwargs))


def test_a_follower_asks_once_and_sends_each_pass_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    asked = ("search_runs", "get_run", "list_artifacts", "get_experiment_by_name")
    for name in (*asked, "log_batch", "log_artifacts", "set_tag"):
        counted(name, calls, monkeypatch)
    written, sender = Spool(tmp_path / ".spool/train@x/f"), follower(tmp_path)
    written.begin(tags={}, params={"p": "1"}, texts={})
    for step in (1, 2, 3):
        written.point(step, {"loss": 1.0})
        spool.append(tmp_path / ".spool/train@x/f" / spool.SYSTEM, {"event": "point", "step": step, "values": {"s": 1}})
        for number in range(3):
            written.picture(step, f"training/{number}", np.zeros((2, 2, 3), np.uint8))
        sender.send(spool.spools(sender.spools))
    assert [calls.count(name) for name in asked] == [1, 0, 0, 1]
    assert [calls.count(name) for name in ("log_batch", "log_artifacts", "set_tag")] == [3, 3, 0]
    calls.clear()
    assert sender.send(spool.spools(sender.spools)) == []
    assert calls == []


def test_a_follower_notices_who_sent_meanwhile_and_died_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when it was stopped, `fcn sync` sent, and was killed before it could note what."""
    written, sender = Spool(tmp_path / ".spool/train@x/f"), follower(tmp_path)
    written.begin(tags={}, params={}, texts={})
    for step in (1, 2, 3, 4):
        written.point(step, {"loss": 1.0})
        written.picture(step, "training/cat", np.zeros((2, 2, 3), np.uint8))
        if step == 1:
            sender.send(spool.spools(sender.spools))
        if step == 2:
            with monkeypatch.context() as patch, pytest.raises(MlflowException, match="unplugged"):
                Unplugged(2, after=True, patch=patch)
                send(tmp_path)
    send(tmp_path)
    written.point(5, {"loss": 1.0})
    sender.send(spool.spools(sender.spools))
    client, (run,) = runs(tmp_path)
    assert steps(client, run, "loss") == [1, 2, 3, 4, 5]
    files = [Path(file.path).name for file in client.list_artifacts(run.info.run_id, "images")]
    assert len(files) == len(set(files)) == 8
