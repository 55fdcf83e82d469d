"""One spool on its way into its run: what the run has is asked once, then known."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core import files
from pipeline.tracking import pictures, spool
from pipeline.tracking.record import key
from pipeline.tracking.spool import Event

# pictures sets what MLflow reads when it is imported, so MLflow comes after it
# isort: split
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

SENT = "sent.json"
METRICS, PARAMS, TAGS = 800, 100, 100  # per request: MLflow takes 1000 entities, 100 params and 100 tags among them
FINGERPRINT = "live.fingerprint"
_NONE: Mapping[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What a pass over one spool brought: the run's id, its status now, and how many events were new."""

    stage: str
    fingerprint: str
    run_id: str
    status: str
    events: int


def state(folder: Path) -> dict[str, Any]:
    """What is sent of the spool ``folder``: bytes by file, the run that took them with its status, and who sent."""
    if not (folder / SENT).is_file():
        return {"run_id": "", "status": "", "offsets": {}}
    found: dict[str, Any] = json.loads((folder / SENT).read_text(encoding="utf-8"))
    return found


def news(folder: Path) -> bool:
    """Whether there is an event to send, or an end to tell that its process could not."""
    told = state(folder)
    sizes = {name: spool.size(folder / name) for name in (spool.EVENTS, spool.SYSTEM)}
    unsent = any(size > told["offsets"].get(name, 0) for name, size in sizes.items())
    return unsent or (told["status"] in ("RUNNING", spool.FINISHED) and not spool.alive(folder))


class Delivery:
    """Sends the spool ``folder``, over and over, for the process ``sender``.

    ``sent.json`` in the folder names who sent last. It is written before another sends: so each knows whether what it
    remembers of the run is still all that the run has.
    """

    def __init__(self, folder: Path, client: MlflowClient, experiment: str, sender: str) -> None:
        self.folder = folder
        self.client = client
        self.experiment = experiment
        self.sender = sender
        self.stage, self.fingerprint = folder.parent.name, folder.name
        self.state: dict[str, Any] = {}
        self._steps: dict[str, int] | None = None  # the last by curve that the run has; None: not asked yet
        self._shown: set[str] | None = None  # the pictures that it has

    def send(self) -> Sent:
        dead = not spool.alive(self.folder)  # asked before reading: what it wrote before it died is then read
        if self.state != state(self.folder):
            self._ask()
        before = {**self.state, "offsets": dict(self.state["offsets"])}
        events = list(self._unsent())
        if events:
            self._log(events)
        if dead and self.state["status"] == "RUNNING":
            self._batch([], tags={"live.lost": "true"})
            self._terminate(spool.KILLED)
        if self.state != before:
            self._write()
        if dead and self.state["status"] == spool.FINISHED:
            self._remove()
        return Sent(
            stage=self.stage,
            fingerprint=self.fingerprint,
            run_id=self.state["run_id"],
            status=self.state["status"],
            events=len(events),
        )

    def _ask(self) -> None:
        """Know the run, if the server has it; another server is told everything from the start."""
        self.state, self._steps, self._shown = {**state(self.folder), "sender": self.sender}, None, None
        clauses = f"tags.`dvc.stage` = '{self.stage}' and tags.`{FINGERPRINT}` = '{self.fingerprint}'"
        found = self.client.search_runs([self.experiment], clauses, max_results=1)
        run_id = found[0].info.run_id if found else ""
        if run_id != self.state["run_id"]:
            self.state |= {"run_id": run_id, "status": found[0].info.status if found else "", "offsets": {}}
        if (self.folder / SENT).exists():
            self._write()

    def _unsent(self) -> Iterator[Event]:
        for name in (spool.EVENTS, spool.SYSTEM):
            events, self.state["offsets"][name] = spool.read(self.folder / name, self.state["offsets"].get(name, 0))
            yield from events

    def _log(self, events: Sequence[Event]) -> None:
        """Each event's curves and pictures, where the run does not have them at that step or a later one."""
        params: dict[str, str] = {}
        tags: dict[str, str] = {}
        for event in (event for event in events if event["event"] == "begin"):
            tags |= self._begin(event)
            params |= event["params"]
        ends = [event for event in events if event["event"] in ("begin", "end")]
        end = ends[-1] if ends and ends[-1]["event"] == "end" else None
        drawn = [event for event in events if event["event"] == "picture"]
        if drawn and not self._shown:
            tags |= pictures.TAGS
        self._batch(self._metrics(events), params, tags | (end["tags"] if end else {}))
        if drawn:
            self._show(drawn)
        if end:
            self._terminate(end["status"], end["time"])

    def _begin(self, event: Event) -> dict[str, str]:
        """Have a run that goes on; the tags that it lacks yet."""
        tags = {**event["tags"], "dvc.stage": self.stage, FINGERPRINT: self.fingerprint}
        if not self.state["run_id"]:
            run = self.client.create_run(self.experiment, event["time"], tags, run_name=self.stage)
            self.state |= {"run_id": run.info.run_id, "status": "RUNNING"}
            files.write_json(self.folder / SENT, {**self.state, "offsets": {}})
            self._steps, self._shown, tags = {}, set(), {}
        if self.state["status"] != "RUNNING":
            self.client.update_run(self.state["run_id"], "RUNNING")
            self.state["status"] = "RUNNING"
        for name, text in event["texts"].items():
            self.client.log_text(self.state["run_id"], text, name)
        return tags

    def _metrics(self, events: Sequence[Event]) -> list[Metric]:
        """The points that ``events`` add to the run's curves."""
        told = [event for event in events if "values" in event]
        if told and self._steps is None:
            run = self.client.get_run(self.state["run_id"])
            self._steps = {metric.key: metric.step for metric in run.data.to_proto().metrics}  # its maps lack the steps
        last, metrics = self._steps or {}, []
        for event in told:
            for name, value in event["values"].items():
                if event["step"] > last.get(key(name), -1):
                    metrics.append(Metric(key(name), value, event["time"], event["step"]))
                    last[key(name)] = event["step"]
        self._steps = last if told else self._steps
        return metrics

    def _show(self, drawn: Sequence[Event]) -> None:
        if self._shown is None:
            self._shown = pictures.shown(self.client, self.state["run_id"])
        fresh = {name: event for event in drawn if (name := pictures.named(event)) not in self._shown}
        pictures.show(self.client, self.state["run_id"], self.folder / spool.PICTURES, fresh)
        self._shown |= fresh.keys()

    def _batch(self, metrics: list[Metric], params: Mapping[str, str] = _NONE, tags: Mapping[str, str] = _NONE) -> None:
        """In as few requests as MLflow takes."""
        settings = [Param(name, value) for name, value in params.items()]
        words = [RunTag(name, value) for name, value in tags.items() if value]
        while metrics or settings or words:
            self.client.log_batch(self.state["run_id"], metrics[:METRICS], settings[:PARAMS], words[:TAGS])
            metrics, settings, words = metrics[METRICS:], settings[PARAMS:], words[TAGS:]

    def _terminate(self, status: str, time: int | None = None) -> None:
        self.client.set_terminated(self.state["run_id"], status, time)
        self.state["status"] = status

    def _write(self) -> None:
        files.write_json(self.folder / SENT, self.state)

    def _remove(self) -> None:
        for folder in self.folder.parent.iterdir():
            if folder == self.folder or not (news(folder) or spool.alive(folder)):
                shutil.rmtree(folder)
