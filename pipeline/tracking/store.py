"""Bring records into MLflow: a run per stage and inputs, adopted by a parent run per pipeline, found by their tags."""

from __future__ import annotations

import fcntl
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

# connect sets what MLflow reads when it is imported, so MLflow comes after it
from mlflow import MlflowClient
from mlflow.entities import Run, RunTag
from tqdm import tqdm

from pipeline.tracking import adopt
from pipeline.tracking.adopt import FINISHED, MISSING
from pipeline.tracking.connect import connect
from pipeline.tracking.log import fill
from pipeline.tracking.record import RunRecord
from pipeline.tracking.uri import SQLITE

PARENT = "mlflow.parentRunId"  # the tag that nests a run under another in the UI
MADE, ADOPTED = "made", "adopted"
PIPELINE = "pipeline.json"  # of a parent: its stages' runs
TAGS = 100  # per request
NEW, COMPLETED, STANDING = "new", "completed", "standing"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Of a pipeline's runs, all under the parent called ``name``: how many were made, or were there.

    ``completed`` were live, or lacked something; ``adopted`` came from another pipeline as they were.
    """

    new: int
    completed: int
    adopted: int
    standing: int
    name: str

    def __str__(self) -> str:
        counts = f"{self.new} new runs, {self.completed} completed, {self.adopted} adopted, {self.standing} standing"
        return f"{counts}, under {self.name}"


@dataclass(frozen=True, kw_only=True)
class _Pipeline:
    """Where runs are brought: ``mark`` is the tag that every run of this pipeline has."""

    client: MlflowClient
    experiment: str
    parent: Run
    mark: str


def publish(
    parent: RunRecord, children: Sequence[RunRecord], root: Path, extra: Mapping[str, str] | None = None
) -> Outcome:
    """Give every stage its run, and the pipeline its parent; publishing the same again changes nothing.

    The parent is found by its tag ``dvc.lock``, a child by ``dvc.stage`` and ``dvc.inputs``, a live one by the files
    it wrote. A run gets the tag ``pipeline.<8 of dvc.lock>``, "made" or "adopted", of every pipeline it is in, and
    nests under the newest. One that was left half done, or lacked files which are here now, is completed. Runs that
    are made get ``extra`` tags.

    Raises Refusal, before anything is written, when a stage gave other outputs than an earlier run from the same
    inputs; also when there is no tracking server at the URI.
    """
    client, experiment = connect(root)
    lock = parent.tags["dvc.lock"]
    mark = f"pipeline.{lock[:8]}"
    extra = extra or {}
    with _alone(client, root):
        found = adopt.find(client, experiment, [child.tags for child in children], mark)
        same = f"tags.`dvc.lock` = '{lock}'"
        mother = (
            adopt.first(adopt.search(client, experiment, same)) or _once(client, experiment, parent, extra, same)[0]
        )
        pipeline = _Pipeline(client=client, experiment=experiment, parent=mother, mark=mark)
        done: dict[str, tuple[str, dict[str, str]]] = {}
        with _closing(client, mother):
            half = {stage for stage, run in found.items() if run.info.status != FINISHED}
            for child in tqdm(sorted(children, key=lambda child: child.stage in half), desc="publish", disable=None):
                done[child.stage] = _bring(pipeline, child, found.get(child.stage), extra)
            if mother.info.status != FINISHED or {what for what, _ in done.values()} != {STANDING}:
                fill(client, mother, parent)
                listed = json.dumps({child.stage: done[child.stage][1] for child in children}, indent=1)
                client.log_text(mother.info.run_id, f"{listed}\n", PIPELINE)
    count = Counter(what for what, _ in done.values())
    return Outcome(
        new=count[NEW],
        completed=count[COMPLETED],
        adopted=count[ADOPTED],
        standing=count[STANDING],
        name=mother.info.run_name,
    )


def _bring(
    pipeline: _Pipeline, child: RunRecord, run: Run | None, extra: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    """What was done for ``child``, and its row in pipeline.json."""
    client, mark = pipeline.client, pipeline.mark
    member = {PARENT: pipeline.parent.info.run_id, mark: MADE}
    another = False
    if run is None:
        run, ours = _once(client, pipeline.experiment, child, {**member, **extra}, adopt.identity(child.tags))
        if ours:
            with _closing(client, run):
                fill(client, run, child)
            return NEW, _row(child, run, MADE)
        another = True  # publisher is at it, and completes it
    elif run.info.status != FINISHED:
        run = client.get_run(run.info.run_id)  # another may have finished it by now
    state = run.data.tags.get(mark) or (ADOPTED if "dvc.inputs" in run.data.tags else MADE)
    joining = {} if mark in run.data.tags else {**member, mark: state}
    if another or adopt.whole(run, child.tags):
        _tag(client, run, joining)
        return ADOPTED if joining else STANDING, _row(child, run, state)
    _complete(client, run, child, joining)
    return COMPLETED, _row(child, run, state)


def _row(child: RunRecord, run: Run, state: str) -> dict[str, str]:
    return {"run": run.info.run_id, "state": state, "fingerprint": child.tags["dvc.inputs"]}


def _complete(client: MlflowClient, run: Run, child: RunRecord, joining: Mapping[str, str]) -> None:
    """Add what ``run`` lacks, its tags last, for by them it is known; what it or a person has told stays."""
    there = run.data.tags
    live = "dvc.inputs" not in there
    missing = set(child.tags.get(MISSING, "").split())
    if not live and run.info.status == FINISHED:
        missing &= set(there.get(MISSING, "").split())  # it has the others from when they were here
    tags = {**child.origin, **child.tags} if live else child.tags
    fresh = {name: value for name, value in tags.items() if name not in there and name != MISSING}
    dirt = {**fresh, **there}
    if any(dirt.get(name) != value for name, value in child.origin.items()):
        child = replace(child, texts={})  # changes.patch is of another commit's tree
    with _closing(client, run):
        fill(client, run, child)
        _tag(client, run, {**fresh, **joining, **({MISSING: " ".join(sorted(missing))} if missing else {})})
        if MISSING in there and not missing:
            client.delete_tag(run.info.run_id, MISSING)


def _tag(client: MlflowClient, run: Run, tags: Mapping[str, str]) -> None:
    rows = [RunTag(name, value) for name, value in tags.items()]
    for start in range(0, len(rows), TAGS):
        client.log_batch(run.info.run_id, tags=rows[start : start + TAGS])


def _once(
    client: MlflowClient, experiment: str, record: RunRecord, more: Mapping[str, str], identity: str
) -> tuple[Run, bool]:
    """The run that ``identity`` finds, and whether it was made here: somebody whom no lock keeps out may be first."""
    made = client.create_run(experiment, tags={**record.tags, **record.origin, **more}, run_name=record.stage)
    winner = adopt.first(adopt.search(client, experiment, identity))
    if winner is None or winner.info.run_id == made.info.run_id:
        return made, True
    client.delete_run(made.info.run_id)
    return winner, False


@contextmanager
def _alone(client: MlflowClient, root: Path) -> Iterator[None]:
    """One publisher at a time: of a database file wherever it runs, of a server in this checkout."""
    uri = client.tracking_uri
    database = uri.removeprefix(SQLITE) if uri.startswith(SQLITE) else root / "mlflow.db"
    with Path(f"{database}.publish.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _closing(client: MlflowClient, run: Run) -> Iterator[None]:
    """Leave no run RUNNING, whatever ends the block; one that was finished stays as it was."""
    if run.info.status == FINISHED:
        yield
        return
    try:
        yield
    except BaseException as error:
        client.set_terminated(run.info.run_id, "FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    client.set_terminated(run.info.run_id, FINISHED)
