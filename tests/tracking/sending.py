"""Send the spools under a root to its MLflow, look at what came there, and break the connection on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from pipeline.tracking.connect import connect
from pipeline.tracking.sync import sync


def send(root: Path) -> list[str]:
    return sync(root, root / ".spool")


def runs(root: Path) -> tuple[MlflowClient, list[Run]]:
    client, experiment = connect(root)
    return client, list(client.search_runs([experiment]))


def steps(client: MlflowClient, run: Run, curve: str) -> list[int]:
    return [metric.step for metric in client.get_metric_history(run.info.run_id, curve)]


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
