"""Find the run that a stage has already: by its stage and inputs, or, if it was live, by the files it wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlflow import MlflowClient
from mlflow.entities import Run

from pipeline.core.types import Refusal

Tags = Mapping[str, str]

OUT = "dvc.out."  # then a path: the hash of what was written there
FINISHED = "FINISHED"


def find(client: MlflowClient, experiment: str, stages: Iterable[Tags], mark: str = "") -> dict[str, Run]:
    """The run of each of ``stages`` that has one, by stage; each is known by the tags of its dvc.lock entry.

    Runs with the tag ``mark`` are asked for at once, for most stages have theirs there. A run that a stage left live
    has no ``dvc.inputs`` yet: the newest that finished is taken whose hashes of outputs are the stage's.

    Raises Refusal when a stage gave other outputs than an earlier run has from the same inputs.
    """
    together = search(client, experiment, f"tags.`{mark}` IS NOT NULL") if mark else []
    marked = {run.data.tags["dvc.stage"]: run for run in together}
    found = {}
    for tags in stages:
        run = marked.get(tags["dvc.stage"])
        if run is None or run.data.tags.get("dvc.inputs") != tags["dvc.inputs"]:
            run = first(search(client, experiment, same(tags))) or _live(client, experiment, tags)
        if run is not None:
            found[tags["dvc.stage"]] = run
            if run.data.tags.get("dvc.outputs", tags["dvc.outputs"]) != tags["dvc.outputs"]:
                raise Refusal(_other_outputs(run, tags))
    return found


def search(client: MlflowClient, experiment: str, query: str, most: int = 1000) -> list[Run]:
    """Active runs, newest first."""
    return list(client.search_runs([experiment], query, max_results=most, order_by=["attributes.start_time DESC"]))


def first(runs: Iterable[Run]) -> Run | None:
    """Of runs of one stage and inputs the one that counts: a finished one, then the oldest."""
    order = sorted(runs, key=lambda run: (run.info.status != FINISHED, run.info.start_time, run.info.run_id))
    return order[0] if order else None


def same(tags: Tags) -> str:
    """The query for all runs of a stage with these inputs."""
    return f"tags.`dvc.stage` = '{tags['dvc.stage']}' and tags.`dvc.inputs` = '{tags['dvc.inputs']}'"


def _live(client: MlflowClient, experiment: str, tags: Tags) -> Run | None:
    query = f"tags.`dvc.stage` = '{tags['dvc.stage']}' and tags.`dvc.inputs` IS NULL and status = '{FINISHED}'"
    for run in search(client, experiment, query):
        outs = {name: md5 for name, md5 in run.data.tags.items() if name.startswith(OUT)}
        if outs and outs.items() <= tags.items():
            return run
    return None


def _other_outputs(run: Run, tags: Tags) -> str:
    outs = (name.removeprefix(OUT) for name in tags if name.startswith(OUT) and tags[name] != run.data.tags.get(name))
    return (
        f"{tags['dvc.stage']} is not deterministic: from the same inputs it wrote another {', '.join(outs)} than run "
        f"{run.info.run_id} has: find what varies; if another kind of processor ran it, `dvc pull` its outputs, or "
        f"delete in MLflow what tags.`dvc.inputs` = '{tags['dvc.inputs']}' finds"
    )
