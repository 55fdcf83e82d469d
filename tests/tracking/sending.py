"""Send the spools under a root to its MLflow, look at what came there, and break the connection on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from pipeline.tracking.connect import connect
from pipeline.tracking.delivery import Sent
from pipeline.tracking.drain import Sender, drain


def send(root: Path) -> list[Sent]:
    return drain(root, root / ".spool")


def follower(root: Path) -> Sender:
    return Sender(root, root / ".spool")


def runs(root: Path) -> tuple[MlflowClient, list[Run]]:
    client, experiment = connect(root)
    return client, list(client.search_runs([experiment]))


def steps(client: MlflowClient, run: Run, curve: str) -> list[int]:
    return [metric.step for metric in client.get_metric_history(run.info.run_id, curve)]


class Unplugged:
    """Breaks the connection at the client's call ``at``, before it or after it has done its work."""

    CALLS = ("create_run", "log_batch", "log_text", "log_artifacts", "set_terminated")

    def __init__(self, at: int, *, after: bool, patch: pytest.MonkeyPatch) -> None:
        self.at, self.after, self.calls = at, after, 0
        for name in self.CALLS:
            patch.setattr(MlflowClient, name, self._counted(getattr(MlflowClient, name)))

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls == self.at and not self.after:
                raise MlflowException("unplugged")
            done = call(*args, **kwargs)
            if self.calls == self.at:
                raise MlflowException("unplugged")
            return done

        return counted
