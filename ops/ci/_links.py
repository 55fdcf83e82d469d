"""Where a stage's run is seen in MLflow."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import click

from pipeline.tracking import uri as store
from pipeline.types import Refusal
from stages._lock import Entry
from stages._records import identity


def links(root: Path, entries: Iterable[Entry]) -> dict[str, str]:
    """The page of each entry's run, by stage, at the tracking server of $MLFLOW_TRACKING_URI.

    Empty where that is none that a browser reaches, and, with a line on stderr, where it does not answer.
    """
    uri = store.chosen(root)
    if not uri.startswith(store.HTTP):
        return {}
    from pipeline.tracking.connect import answering, connect  # MLflow takes seconds to import
    from pipeline.tracking.find import find

    try:
        client, experiment = connect(root)
        with answering(client):
            found = find(client, experiment, [identity(entry) for entry in entries])
    except Refusal as refusal:
        click.echo(f"no links to runs: {refusal}", err=True)
        return {}
    server = re.sub(r"//.*@", "//", uri).rstrip("/")  # a page keeps no password
    return {
        stage: f"{server}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}" for stage, run in found.items()
    }
