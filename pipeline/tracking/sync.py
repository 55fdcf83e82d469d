"""Bring spooled events into MLflow: each once, in order, into the one run of their stage and fingerprint."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Run
from mlflow.exceptions import MlflowException
from PIL import Image

from pipeline.core import files
from pipeline.lock_file import locked
from pipeline.tracking import runs, spool
from pipeline.tracking.connect import answering, connect
from pipeline.tracking.record import key, rounded
from pipeline.tracking.spool import EVENTS, FINISHED, KILLED, SENT, Event

FINGERPRINT = "live.fingerprint"
SUPERSEDED = "superseded"  # the tag of a run whose stage ran anew before anything was published; the newer run's id


def sync(root: Path, spools: Path) -> list[str]:
    """Send what is not sent yet of every spool under ``spools`` to the tracking server that ``root`` uses.

    One process at a time does so; others wait. A process that died without a word has its run KILLED. A spool that
    ended well and is sent is removed, and with it what is sent of the stage's earlier fingerprints. What MLflow will
    never take is set aside beside the spools, and the rest is sent.

    Returns a line for each run, and for each event set aside. Raises Refusal when nobody answers, or the server dies
    halfway: what is not sent stays.
    """
    if not any(map(spool.has_news, spool.spools(spools))):
        return []
    with locked(spools / ".sync.lock"):
        folders = [folder for folder in spool.spools(spools) if spool.has_news(folder)]
        if not folders:
            return []
        client, experiment = connect(root)
        with answering(client):
            return [line for folder in folders if folder.is_dir() for line in _send(folder, client, experiment)]


def _send(folder: Path, client: MlflowClient, experiment: str) -> list[str]:
    dead, known = not spool.alive(folder), spool.sent(folder)  # asked first: what it wrote before it died is read below
    run = _find(client, experiment, folder, known["run_id"])
    start = known["offset"] if run and run.info.run_id == known["run_id"] else 0
    events, offset = spool.read(folder / EVENTS, start)
    if run is None:
        tags = {"dvc.stage": folder.parent.name, FINGERPRINT: folder.name}
        begun = next((event["time"] for event in events if "time" in event), None)
        run = client.create_run(experiment, begun, tags, run_name=folder.parent.name)
    said = [spool.set_aside(folder, event, why) for event, why in _log(client, run, folder, events)]
    ended = _state(client, run, folder, events, dead, known["begun"])
    files.write_json(folder / SENT, {**ended, "run_id": run.info.run_id, "offset": offset})
    if dead and ended["status"] == FINISHED:
        _supersede(client, experiment, run)
        for other in folder.parent.iterdir():
            if other == folder or not (spool.has_news(other) or spool.alive(other)):
                shutil.rmtree(other)
    line = f"{folder.parent.name} {folder.name[:8]}: {len(events)} events, run {run.info.run_id} {ended['status']}"
    return [line, *said]


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
    return next(iter(runs.search(client, experiment, clauses, 1)), None)


def _log(client: MlflowClient, run: Run, folder: Path, events: Sequence[Event]) -> Iterator[tuple[Event, str]]:
    """Add what ``events`` have and the run has not; yield what MLflow refuses, with its reason."""
    run_id, params, tags = run.info.run_id, dict[str, str](), dict[str, str]()
    for event in events:
        params, tags = params | event.get("params", {}), tags | event.get("tags", {})
        for name, text in event.get("texts", {}).items():
            client.log_text(run_id, text, name)
        if event["event"] == "unreadable":
            yield event, "no JSON"
    for item, error in runs.log_each(client, run_id, runs.items(_points(run, events), params, tags)):
        yield {"event": type(item).__name__, **dict(item)}, _why(error)
    pictures = [event for event in events if event["event"] == "picture"]
    there = set(runs.artifacts(client, run_id, "images")) if pictures else set()
    for event in pictures:
        file = folder / spool.PICTURES / event["file"]
        try:
            runs.picture(client, run_id, there, file, event["key"], event["step"], event["time"])
        except (MlflowException, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            if not runs.refused(error):
                raise
            yield event, _why(error)


def _why(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _state(
    client: MlflowClient, run: Run, folder: Path, events: Sequence[Event], dead: bool, begun: int | None
) -> dict[str, Any]:
    """Set the run's status, KILLED where no end was written, and its end: its duration is the last attempt's.

    Returns ``status``, and ``begun``, when that attempt began, in ms.
    """
    status, ended = run.info.status, None
    for event in events:
        if event["event"] == "begin":
            status, begun, ended = "RUNNING", event["time"], None
        elif event["event"] == "end":
            status, ended = event["status"], event["time"]
    if dead and status == "RUNNING":
        status, ended = KILLED, (folder / EVENTS).stat().st_mtime_ns // 1_000_000
    if status == "RUNNING" != run.info.status:
        client.update_run(run.info.run_id, status)
    elif ended is not None:
        client.set_terminated(run.info.run_id, status, run.info.start_time + max(0, ended - (begun or ended)))
    return {"status": str(status), "begun": begun}


def _supersede(client: MlflowClient, experiment: str, run: Run) -> None:
    """Mark the stage's other runs that were live and never published: this one took their place.

    Where a published run has the same outputs, the stage was forced to run again, and this one is marked itself.
    """
    stage, outputs = run.data.tags["dvc.stage"], client.get_run(run.info.run_id).data.tags.get("dvc.outputs", "")
    same = f"tags.`dvc.stage` = '{stage}' and tags.`dvc.outputs` = '{outputs}' and tags.`dvc.inputs` IS NOT NULL"
    published = [other.info.run_id for other in runs.search(client, experiment, same)] if outputs else []
    if published and run.info.run_id not in published:
        client.set_tag(run.info.run_id, SUPERSEDED, published[0])
        return
    query = f"tags.`dvc.stage` = '{stage}' and tags.`dvc.inputs` IS NULL"
    for other in runs.search(client, experiment, query):
        if other.info.run_id != run.info.run_id and FINGERPRINT in other.data.tags:
            client.set_tag(other.info.run_id, SUPERSEDED, run.info.run_id)
    if SUPERSEDED in run.data.tags:
        client.delete_tag(run.info.run_id, SUPERSEDED)


def _points(run: Run, events: Sequence[Event]) -> list[Metric]:
    """The points that ``events`` add to the run's curves: MLflow keeps a step that is logged twice twice."""
    steps = {name: metric.step for name, metric in runs.last(run).items()}
    found = []
    for event in (event for event in events if event["event"] == "point"):
        for name, value in event["values"].items():
            if event["step"] > steps.get(key(name), -1):
                found.append(Metric(key(name), rounded(value), event["time"], event["step"]))
                steps[key(name)] = event["step"]
    return found
