"""Runs and files in MLflow that nobody needs: never what a registered version or dvc.lock came from."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from mlflow.entities.model_registry import ModelVersion

from pipeline.orphan import FILES, MODEL, RUN, Orphan, lying, measured
from pipeline.tracking import adopt, record, version
from pipeline.tracking.uri import SQLITE

UPSTREAM = "upstream."  # a tag's beginning; then a stage, and as its value that stage's dvc.inputs
DEAD = ("FAILED", "KILLED")
PAGE = 1000

Identity = tuple[str, str]  # a stage's name as MLflow takes it in a key, and its dvc.inputs


@dataclass(frozen=True, kw_only=True)
class Store:
    """All that an experiment has, ``runs`` and ``deleted`` ones, and the versions of every registered model."""

    runs: Sequence[Run]
    deleted: Sequence[Run]
    versions: Sequence[ModelVersion]
    models: Sequence[Any]


def orphans(client: MlflowClient, experiment: str, locked: Iterable[Mapping[str, str]], mark: str) -> list[Orphan]:
    """Of ``experiment``: deleted runs, dead ones without a number, spare ones, uploads and folders of nobody.

    ``locked`` are the tags that dvc.lock's entries are found by, ``mark`` is the tag of its pipeline's runs. Whatever
    a registered version or one of these was made of stays, over all its upstream.
    """
    folders = _folders(client, experiment)  # first: a run that comes meanwhile is known below
    found = Store(
        runs=_runs(client, [experiment], ViewType.ACTIVE_ONLY),
        deleted=_runs(client, [experiment], ViewType.DELETED_ONLY),
        versions=_paged(lambda token: client.search_model_versions("", page_token=token)),
        models=_paged(lambda token: client.search_logged_models([experiment], page_token=token)),
    )
    kept = _kept(found, [(record.key(tags["dvc.stage"]), tags["dvc.inputs"]) for tags in locked])
    kept |= {run.info.run_id for run in found.runs if mark in run.data.tags}
    ours = client.tracking_uri.startswith(SQLITE)
    runs = {run.info.run_id: (run, why) for run, why in _spent(found) if run.info.run_id not in kept}
    return [
        *(_orphan(run, why, ours) for run, why in runs.values()),
        *(_upload(model, ours) for model in _uploads(found)),
        *(
            lying(FILES, folder, folder.parents[1], "no run or model has this id")
            for folder in _strays(client, folders, found)
        ),
    ]


def _spent(found: Store) -> Iterator[tuple[Run, str]]:
    for run in found.deleted:
        yield run, "deleted in MLflow"
    for run in found.runs:
        if run.info.status in DEAD and not run.data.metrics:
            yield run, f"{run.info.status} before it told a number"
    for runs in _by_identity(found.runs).values():
        counts = adopt.first(runs)
        for run in runs:
            if counts is not None and run is not counts and run.info.status != "RUNNING":
                yield run, f"run {counts.info.run_id} tells of the same stage and inputs"


def _kept(found: Store, locked: Iterable[Identity]) -> set[str]:
    """The ids of the runs that a version or dvc.lock came from; a deleted one where there is no other."""
    known = _by_identity(found.deleted) | _by_identity(found.runs)
    by_id = {run.info.run_id: run for run in [*found.runs, *found.deleted]}
    tagged = [(record.key(of.tags.get("dvc.stage", "")), of.tags.get("dvc.inputs", "")) for of in found.versions]
    first = (adopt.first(known.get(identity, ())) for identity in [*locked, *tagged])
    queue = [run for run in [*(by_id.get(of.run_id) for of in found.versions), *first] if run is not None]
    kept: set[str] = set()
    for run in queue:
        if run.info.run_id in kept:
            continue
        kept.add(run.info.run_id)
        before = (
            (tag.removeprefix(UPSTREAM), inputs) for tag, inputs in run.data.tags.items() if tag.startswith(UPSTREAM)
        )
        queue += [other for identity in before if (other := adopt.first(known.get(identity, ()))) is not None]
    return kept


def _by_identity(runs: Iterable[Run]) -> dict[Identity, list[Run]]:
    found: dict[Identity, list[Run]] = defaultdict(list)
    for run in runs:
        if "dvc.inputs" in run.data.tags:
            found[record.key(run.data.tags.get("dvc.stage", "")), run.data.tags["dvc.inputs"]].append(run)
    return dict(found)


def _orphan(run: Run, why: str, ours: bool) -> Orphan:
    folder = local(run.info.artifact_uri)
    size = measured(folder.rglob("*"))[0] if folder else 0
    name = f"{run.info.run_name or 'run'} {run.info.run_id[:8]}"
    changed = (run.info.end_time or run.info.start_time) / 1000
    return Orphan(kind=RUN, id=run.info.run_id, name=name, bytes=size, changed=changed, why=why, ours=ours)


def _uploads(found: Store) -> list[Any]:
    """Logged models that a promotion uploaded, and that nobody makes a version of any more."""
    taken = {of.source for of in found.versions} | {of.model_id for of in found.versions}
    old = time.time() - version.STALE
    return [
        model
        for model in found.models
        if version.NAME in model.tags
        and not {model.model_id, model.artifact_location} & taken
        and model.creation_timestamp / 1000 < old
    ]


def _upload(model: Any, ours: bool) -> Orphan:
    folder = local(model.artifact_location)
    return Orphan(
        kind=MODEL,
        id=model.model_id,
        name=f"{model.tags[version.NAME]} {model.model_id}",
        bytes=measured(folder.rglob("*"))[0] if folder else 0,
        changed=model.creation_timestamp / 1000,
        why="uploaded by a promotion that made no version of it",
        ours=ours,
    )


def _folders(client: MlflowClient, experiment: str) -> list[Path]:
    """Those of runs and models, where files and database are this machine's."""
    root = local(client.get_experiment(experiment).artifact_location)
    if root is None or not client.tracking_uri.startswith(SQLITE):
        return []
    runs = [path for path in root.glob("*") if len(path.name) == 32 and set(path.name) <= set("0123456789abcdef")]
    return sorted(path for path in [*runs, *root.glob("models/m-*")] if path.is_dir())


def _strays(client: MlflowClient, folders: Sequence[Path], found: Store) -> list[Path]:
    """``folders`` of no run, model or version of any experiment, deleted ones among them."""
    if not folders:
        return []
    experiments = [each.experiment_id for each in client.search_experiments(view_type=ViewType.ALL)]
    models = _paged(lambda token: client.search_logged_models(experiments, page_token=token))
    known = {run.info.run_id for run in _runs(client, experiments, ViewType.ALL)}
    known |= {model.model_id for model in models} | {of.model_id for of in found.versions}
    sources = [source for of in found.versions if (source := local(of.source))]
    return [
        path for path in folders if path.name not in known and not any(each.is_relative_to(path) for each in sources)
    ]


def _runs(client: MlflowClient, experiments: list[str], view: int) -> list[Run]:
    return _paged(lambda token: client.search_runs(experiments, run_view_type=view, max_results=PAGE, page_token=token))


def _paged(ask: Callable[[str | None], Any]) -> list[Any]:
    found, token = [], None
    while True:
        page = ask(token)
        found += page
        token = page.token
        if not token:
            return found


def local(uri: str | None) -> Path | None:
    """The folder that ``uri`` names, if it is one of this machine."""
    parts = urlsplit(uri or "")
    return Path(unquote(parts.path)) if parts.scheme in ("", "file") and parts.path.startswith("/") else None
