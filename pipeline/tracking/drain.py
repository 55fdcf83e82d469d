"""Bring spooled events into MLflow: each once, in order, into the one run of their stage and fingerprint."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.tracking.connect import connect
from pipeline.tracking.record import key

# connect sets what MLflow reads when it is imported, so MLflow comes after it
# isort: split
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from PIL import Image

from pipeline.tracking import spool
from pipeline.tracking.spool import Event

SENT = "sent.json"
SYSTEM = "system.jsonl"
METRICS, PARAMS = 900, 100  # per request: MLflow takes 1000 entities, 100 params among them
FINGERPRINT = "live.fingerprint"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What a pass over one spool brought: the run's id, its status now, and how many events were new."""

    stage: str
    fingerprint: str
    run_id: str
    status: str
    events: int


def drain(root: Path, spools: Path) -> list[Sent]:
    """Send what is not sent yet of every spool under ``spools`` to the tracking server that ``root`` uses.

    One process at a time does so; others wait. A process that died without a word has its run KILLED. A spool that
    ended well and is sent is removed, and with it the finished ones of the stage's earlier fingerprints.

    Raises Refusal when nobody answers and MlflowException when the server falls silent halfway; what is not sent then
    stays, and no event is sent twice.
    """
    if not any(map(_news, spool.spools(spools))):
        return []
    with alone(spools / ".drain.lock"):
        client, experiment = connect(root)
        told = [folder for folder in spool.spools(spools) if _news(folder)]
        return [_Delivery(folder, client, experiment).send() for folder in told]


@contextmanager
def alone(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock ``path``, which its holder's death frees; without ``wait`` BlockingIOError where it is held."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


class _Delivery:
    """One spool on its way; ``sent.json`` beside it tells how far it is, by file, and which run takes it."""

    def __init__(self, folder: Path, client: MlflowClient, experiment: str) -> None:
        self.folder = folder
        self.client = client
        self.experiment = experiment
        self.stage, self.fingerprint = folder.parent.name, folder.name
        self.state = _state(folder)

    def send(self) -> Sent:
        dead = not spool.alive(self.folder)  # asked before reading: what it wrote before it died is then read
        self._find()
        count = 0
        for name in (spool.EVENTS, SYSTEM):
            events, end = spool.read(self.folder / name, self.state["offsets"].get(name, 0))
            if events:
                self._log(events)
                self.state["offsets"][name] = end
                count += len(events)
        if dead and self.state["status"] == "RUNNING":
            self._terminate(spool.KILLED, {"live.lost": "true"})
        if count or dead:
            files.write_json(self.folder / SENT, self.state)
        status = self.state["status"]
        if dead and status == spool.FINISHED:
            self._remove()
        return Sent(
            stage=self.stage, fingerprint=self.fingerprint, run_id=self.state["run_id"], status=status, events=count
        )

    def _find(self) -> None:
        """Know the run, if the server has it; another server is told everything from the start."""
        clauses = f"tags.`dvc.stage` = '{self.stage}' and tags.`{FINGERPRINT}` = '{self.fingerprint}'"
        found = self.client.search_runs([self.experiment], clauses, max_results=1)
        run_id = found[0].info.run_id if found else ""
        if run_id != self.state["run_id"]:
            self.state |= {"run_id": run_id, "status": found[0].info.status if found else "", "offsets": {}}

    def _log(self, events: list[Event]) -> None:
        """Each event's curves and pictures, where the run does not have them at that step or a later one."""
        for event in (event for event in events if event["event"] == "begin"):
            self._begin(event)
        last = self._steps(events)
        metrics = [
            Metric(key(name), value, event["time"], event["step"])
            for event in events
            for name, value in event.get("values", {}).items()
            if event["step"] > last.get(key(name), -1)
        ]
        for start in range(0, len(metrics), METRICS):
            self.client.log_batch(self.state["run_id"], metrics=metrics[start : start + METRICS])
        self._pictures([event for event in events if event["event"] == "picture"])
        ends = [number for number, event in enumerate(events) if event["event"] in ("begin", "end")]
        if ends and events[ends[-1]]["event"] == "end":
            self._terminate(events[ends[-1]]["status"], events[ends[-1]]["tags"], events[ends[-1]]["time"])

    def _begin(self, event: Event) -> None:
        tags = {**event["tags"], "dvc.stage": self.stage, FINGERPRINT: self.fingerprint}
        if not self.state["run_id"]:
            run = self.client.create_run(self.experiment, event["time"], tags, run_name=self.stage)
            self.state |= {"run_id": run.info.run_id, "status": "RUNNING"}
            files.write_json(self.folder / SENT, self.state)
        run_id = self.state["run_id"]
        if self.state["status"] != "RUNNING":
            self.client.update_run(run_id, "RUNNING")
            self.state["status"] = "RUNNING"
        self.client.log_batch(run_id, tags=_tags(tags))
        params = [Param(name, value) for name, value in event["params"].items()]
        for start in range(0, len(params), PARAMS):
            self.client.log_batch(run_id, params=params[start : start + PARAMS])
        for name, text in event["texts"].items():
            self.client.log_text(run_id, text, name)

    def _steps(self, events: Iterable[Event]) -> dict[str, int]:
        """The last step of each curve that the run has, if ``events`` add to any."""
        if not any("values" in event for event in events):
            return {}
        known = self.client.get_run(self.state["run_id"]).data.to_proto().metrics  # the data's own maps lack the steps
        return {metric.key: metric.step for metric in known}

    def _pictures(self, events: list[Event]) -> None:
        if not events:
            return
        run_id = self.state["run_id"]
        there = [Path(file.path).name for file in self.client.list_artifacts(run_id, "images")]
        for event in events:
            name, step = key(event["key"]), event["step"]
            if any(file.startswith(f"{name.replace('/', '~')}+step+{step}+") for file in there):
                continue
            with Image.open(self.folder / spool.PICTURES / event["file"]) as image:
                self.client.log_image(run_id, image, key=name, step=step, timestamp=event["time"], synchronous=True)

    def _terminate(self, status: str, tags: Mapping[str, str], time: int | None = None) -> None:
        self.client.log_batch(self.state["run_id"], tags=_tags(tags))
        self.client.set_terminated(self.state["run_id"], status, time)
        self.state["status"] = status

    def _remove(self) -> None:
        for folder in self.folder.parent.iterdir():
            if folder == self.folder or not (_news(folder) or spool.alive(folder)):
                shutil.rmtree(folder)


def _state(folder: Path) -> dict[str, Any]:
    if not (folder / SENT).is_file():
        return {"run_id": "", "status": "", "offsets": {}}
    state: dict[str, Any] = json.loads((folder / SENT).read_text(encoding="utf-8"))
    return state


def _news(folder: Path) -> bool:
    """Whether there is an event to send, or an end to tell that its process could not."""
    state = _state(folder)
    paths = [folder / name for name in (spool.EVENTS, SYSTEM)]
    unsent = any(path.is_file() and path.stat().st_size > state["offsets"].get(path.name, 0) for path in paths)
    return unsent or (state["status"] in ("RUNNING", spool.FINISHED) and not spool.alive(folder))


def _tags(tags: Mapping[str, str]) -> list[RunTag]:
    return [RunTag(name, value) for name, value in tags.items() if value]
