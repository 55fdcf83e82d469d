"""Find the run that a stage has already: by its stage and inputs, or, if it was live, by the files it wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.tracking.connect import connect

# connect sets what MLflow reads when it is imported, so MLflow comes after it
# isort: split
from mlflow import MlflowClient
from mlflow.entities import Run

from pipeline.core.types import Refusal

Tags = Mapping[str, str]

OUT = "dvc.out."  # then a path: the hash of what was written there
MISSING = "dvc.missing"  # files that were not there to log, set apart by spaces
FINISHED = "FINISHED"


def find(client: MlflowClient, experiment: str, stages: Iterable[Tags], mark: str = "") -> dict[str, Run]:
    """The run of each of ``stages`` that has one, by stage; each is told by its tags ``dvc.stage`` and ``dvc.inputs``.

    Runs with the tag ``mark`` are asked for at once, for most stages have theirs there. A run that a stage left live
    has no ``dvc.inputs`` yet: the newest is taken whose hashes of outputs agree with the stage's, where both have one.

    Raises Refusal when a stage gave other outputs than an earlier run has from the same inputs.
    """
    together = search(client, experiment, f"tags.`{mark}` IS NOT NULL") if mark else []
    marked = {run.data.tags["dvc.stage"]: run for run in together}
    found = {}
    for tags in stages:
        run = marked.get(tags["dvc.stage"])
        if run is None or run.data.tags.get("dvc.inputs") != tags["dvc.inputs"]:
            run = _published(client, experiment, tags) or _live(client, experiment, tags)
        if run is not None:
            found[tags["dvc.stage"]] = run
    return found


def search(client: MlflowClient, experiment: str, query: str, most: int = 1000) -> list[Run]:
    """Active runs, newest first."""
    return list(client.search_runs([experiment], query, max_results=most, order_by=["attributes.start_time DESC"]))


def whole(run: Run, tags: Tags) -> bool:
    """Whether ``run`` lacks nothing that ``tags``' stage can tell here and now."""
    lacked = set(run.data.tags.get(MISSING, "").split()) - set(tags.get(MISSING, "").split())
    return run.info.status == FINISHED and not lacked and tags.keys() - {MISSING} <= run.data.tags.keys()


def first(runs: Iterable[Run]) -> Run | None:
    """Of runs of the same identity the one that counts: a finished one, then the oldest."""
    order = sorted(runs, key=lambda run: (run.info.status != FINISHED, run.info.start_time, run.info.run_id))
    return order[0] if order else None


def identity(tags: Tags) -> str:
    """The query for all runs of a stage with these inputs."""
    return f"tags.`dvc.stage` = '{tags['dvc.stage']}' and tags.`dvc.inputs` = '{tags['dvc.inputs']}'"


def _published(client: MlflowClient, experiment: str, tags: Tags) -> Run | None:
    runs = search(client, experiment, identity(tags))
    for run in runs:
        if run.data.tags.get("dvc.outputs") != tags["dvc.outputs"]:
            _refuse(run, tags)
    return first(runs)


def _refuse(run: Run, tags: Tags) -> None:
    outs = [name for name in tags if name.startswith(OUT) and tags[name] != run.data.tags.get(name)]
    names = ", ".join(name.removeprefix(OUT) for name in outs)
    raise Refusal(
        f"{tags['dvc.stage']} is not deterministic: from the same inputs it wrote another {names} than run "
        f"{run.info.run_id} holds: find what varies; if another kind of processor ran it, `dvc pull` its outputs, or "
        f"delete in MLflow what tags.`dvc.inputs` = '{tags['dvc.inputs']}' finds"
    )


def _live(client: MlflowClient, experiment: str, tags: Tags) -> Run | None:
    query = f"tags.`dvc.stage` = '{tags['dvc.stage']}' and tags.`dvc.inputs` IS NULL and status = '{FINISHED}'"
    return next((run for run in search(client, experiment, query) if _agree(run.data.tags, tags)), None)


def _agree(theirs: Tags, ours: Tags) -> bool:
    both = [name for name in theirs if name.startswith(OUT) and name in ours]
    return bool(both) and all(theirs[name] == ours[name] for name in both)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a run tells of itself, in plain values; ``started`` is in ms since 1970."""

    run: str
    status: str
    commit: str
    dirty: bool
    backfilled: bool
    started: int
    metrics: Mapping[str, float]


def told(root: Path, stages: Iterable[Tags]) -> dict[str, Told]:
    """The runs of ``stages``, by stage, as ``find`` finds them. Raises Refusal as it does, or when nobody answers."""
    client, experiment = connect(root)
    return {stage: _told(run) for stage, run in find(client, experiment, stages).items()}


def _told(run: Run) -> Told:
    tags = run.data.tags
    return Told(
        run=run.info.run_id,
        status=run.info.status,
        commit=tags.get("git.commit", ""),
        dirty=tags.get("git.dirty") == "true",
        backfilled="backfilled" in tags,
        started=run.info.start_time,
        metrics=dict(run.data.metrics),
    )
