"""Runs in MLflow that nobody needs, found and removed: never what a registered version or dvc.lock came from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from mlflow.entities.model_registry import ModelVersion
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from pipeline.orphan import RUN, Orphan, measure
from pipeline.tracking import record
from pipeline.tracking.find import first
from pipeline.tracking.uri import HTTP, SQLITE

UPSTREAM = "upstream."  # a tag's beginning; then a stage, and as its value that stage's dvc.inputs
DEAD = ("FAILED", "KILLED")

Identity = tuple[str, str]  # a stage's name as MLflow takes it in a key, and its dvc.inputs
Known = dict[Identity, list[Run]]


def unused(client: MlflowClient, experiment: str, locked: Iterable[Mapping[str, str]], mark: str) -> list[Orphan]:
    """Of ``experiment``: deleted runs, dead ones without a number, and second ones of the same stage and inputs.

    ``locked`` are the tags that dvc.lock's entries are found by, ``mark`` is the tag of its pipeline's runs. Whatever
    a registered version or one of these was made of stays, over all its upstream.
    """
    runs = _runs(client, experiment, ViewType.ACTIVE_ONLY)
    remote = client.tracking_uri.startswith(HTTP)  # only its own machine can empty a server's trash
    deleted = [] if remote else _runs(client, experiment, ViewType.DELETED_ONLY)
    known = _by_identity(deleted) | _by_identity(runs)
    versions = list(client.search_model_versions(max_results=1000))
    kept = _kept([*runs, *deleted], known, versions, [_identity(tags) for tags in locked])
    kept |= {run.info.run_id for run in runs if mark in run.data.tags}
    ours = client.tracking_uri.startswith(SQLITE)
    found = {run.info.run_id: _orphan(run, why, ours) for run, why in _spare(runs, deleted)}
    return [orphan for run_id, orphan in found.items() if run_id not in kept]


def remove(client: MlflowClient, run_ids: Iterable[str]) -> None:
    """Delete runs as MLflow's UI does and then, where the database is at hand, for good with their files.

    `mlflow gc --run-ids` would also take the deleted experiments and models of everybody who uses the database.
    Whenever this is killed, the next call completes it.
    """
    store: Any = client._tracking_client.store
    for run_id in run_ids:
        run = client.get_run(run_id)
        if run.info.lifecycle_stage == "active":
            client.delete_run(run_id)
        if hasattr(store, "_hard_delete_run"):  # a server keeps its trash
            get_artifact_repository(run.info.artifact_uri).delete_artifacts()
            folder = _local(run)
            if folder and folder.parent.is_dir() and not any(folder.parent.iterdir()):
                folder.parent.rmdir()
            store._hard_delete_run(run_id)


def _spare(runs: Sequence[Run], deleted: Sequence[Run]) -> Iterator[tuple[Run, str]]:
    yield from ((run, "deleted in MLflow") for run in deleted)
    for run in runs:
        if run.info.status in DEAD and not run.data.metrics:
            yield run, f"{run.info.status} before it had a number"
    for twins in _by_identity(runs).values():
        one = first(twins)
        for run in twins:
            if one is not None and run is not one and run.info.status != "RUNNING":
                yield run, f"run {one.info.run_id} is of the same stage and inputs"


def _kept(runs: Iterable[Run], known: Known, versions: Iterable[ModelVersion], locked: Iterable[Identity]) -> set[str]:
    """The ids of the runs that a version or dvc.lock came from; a deleted one where there is no other."""
    by_id = {run.info.run_id: run for run in runs}
    wanted = [*locked, *(_identity(version.tags) for version in versions)]
    queue = [by_id.get(version.run_id) for version in versions]
    queue += [first(known.get(identity, ())) for identity in wanted]
    kept: set[str] = set()
    for run in queue:
        if run is not None and run.info.run_id not in kept:
            kept.add(run.info.run_id)
            before = [(name[len(UPSTREAM) :], text) for name, text in run.data.tags.items() if UPSTREAM in name]
            queue += [first(known.get(identity, ())) for identity in before]
    return kept


def _by_identity(runs: Iterable[Run]) -> Known:
    found: Known = defaultdict(list)
    for run in runs:
        if "dvc.inputs" in run.data.tags:
            found[_identity(run.data.tags)].append(run)
    return found


def _identity(tags: Mapping[str, str]) -> Identity:
    return record.key(tags.get("dvc.stage", "")), tags.get("dvc.inputs", "")


def _orphan(run: Run, why: str, ours: bool) -> Orphan:
    folder = _local(run)
    size = measure(folder.rglob("*"))[0] if folder else 0
    name = f"{run.info.run_name or 'run'} {run.info.run_id[:8]}"
    changed = (run.info.end_time or run.info.start_time) / 1000
    return Orphan(kind=RUN, id=run.info.run_id, name=name, bytes=size, changed=changed, why=why, ours=ours)


def _local(run: Run) -> Path | None:
    """The folder of the run's files, if it is one of this machine."""
    parts = urlsplit(run.info.artifact_uri)
    return Path(unquote(parts.path)) if parts.scheme in ("", "file") and parts.path.startswith("/") else None


def _runs(client: MlflowClient, experiment: str, view: int) -> list[Run]:
    page = client.search_runs([experiment], run_view_type=view, max_results=1000)
    found = [*page]
    while page.token:
        page = client.search_runs([experiment], run_view_type=view, max_results=1000, page_token=page.token)
        found += page
    return found
