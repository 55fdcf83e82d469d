"""Bring spooled events into MLflow: each once, in order, into the one run of their stage and fingerprint."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Run
from mlflow.exceptions import MlflowException

from pipeline.core import files
from pipeline.lock_file import locked
from pipeline.tracking import spool
from pipeline.tracking.connect import answering, connect
from pipeline.tracking.log import artifacts, last, log, picture
from pipeline.tracking.record import key
from pipeline.tracking.spool import EVENTS, FINISHED, KILLED, SENT, Event

FINGERPRINT = "live.fingerprint"


def sync(root: Path, spools: Path) -> list[str]:
    """Send what is not sent yet of every spool under ``spools`` to the tracking server that ``root`` uses.

    One process at a time does so; others wait. A process that died without a word has its run KILLED. A spool that
    ended well and is sent is removed, and with it what is sent of the stage's earlier fingerprints.

    Returns a line for each. Raises Refusal when nobody answers, or the server dies halfway: what is not sent stays.
    """
    if not any(map(spool.has_news, spool.spools(spools))):
        return []
    with locked(spools / ".sync.lock"):
        folders = [folder for folder in spool.spools(spools) if spool.has_news(folder)]
        if not folders:
            return []
        client, experiment = connect(root)
        with answering(client):
            return [_send(folder, client, experiment) for folder in folders if folder.is_dir()]


def _send(folder: Path, client: MlflowClient, experiment: str) -> str:
    dead, known = not spool.alive(folder), spool.sent(folder)  # asked first: what it wrote before it died is read below
    run = _find(client, experiment, folder, known["run_id"])
    start = known["offset"] if run and run.info.run_id == known["run_id"] else 0
    events, offset = spool.read(folder / EVENTS, start)
    if run is None:
        tags = {"dvc.stage": folder.parent.name, FINGERPRINT: folder.name}
        run = client.create_run(experiment, events[0]["time"], tags, run_name=folder.parent.name)
    status = _log(client, run, folder, events, dead)
    files.write_json(folder / SENT, {"run_id": run.info.run_id, "status": status, "offset": offset})
    if dead and status == FINISHED:
        for other in folder.parent.iterdir():
            if other == folder or not (spool.has_news(other) or spool.alive(other)):
                shutil.rmtree(other)
    return f"{folder.parent.name} {folder.name[:8]}: {len(events)} events, run {run.info.run_id} {status}"


def _find(client: MlflowClient, experiment: str, folder: Path, run_id: str) -> Run | None:
    """The spool's run, if this server has it; another one gets all events from the start."""
    if run_id:
        try:
            run = client.get_run(run_id)
            return run if run.info.lifecycle_stage == "active" else None
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
    clauses = f"tags.`dvc.stage` = '{folder.parent.name}' and tags.`{FINGERPRINT}` = '{folder.name}'"
    return next(iter(client.search_runs([experiment], clauses, max_results=1)), None)


def _log(client: MlflowClient, run: Run, folder: Path, events: Sequence[Event], dead: bool) -> str:
    """Add what ``events`` have and the run has not, and return the run's status: KILLED where no end was written."""
    run_id, status, time = run.info.run_id, run.info.status, None
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    for event in events:
        if event["event"] == "begin":
            params, tags, status = params | event["params"], tags | event["tags"], "RUNNING"
            for name, text in event["texts"].items():
                client.log_text(run_id, text, name)
        elif event["event"] == "end":
            tags, status, time = tags | event["tags"], event["status"], event["time"]
    if dead and status == "RUNNING":
        status = KILLED
    log(client, run_id, _points(run, events), params, tags)
    pictures = [event for event in events if event["event"] == "picture"]
    there = set(artifacts(client, run_id, "images")) if pictures else set()
    for event in pictures:
        file = folder / spool.PICTURES / event["file"]
        picture(client, run_id, there, file, event["key"], event["step"], event["time"])
    if status == "RUNNING" != run.info.status:
        client.update_run(run_id, status)
    elif status != run.info.status:
        client.set_terminated(run_id, status, time)
    return str(status)


def _points(run: Run, events: Sequence[Event]) -> list[Metric]:
    """The points that ``events`` add to the run's curves: MLflow keeps a step that is logged twice twice."""
    steps = {name: metric.step for name, metric in last(run).items()}
    found = []
    for event in (event for event in events if event["event"] == "point"):
        for name, value in event["values"].items():
            if event["step"] > steps.get(key(name), -1):
                found.append(Metric(key(name), value, event["time"], event["step"]))
                steps[key(name)] = event["step"]
    return found
