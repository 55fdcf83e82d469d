"""Bring records into MLflow: a parent run per pipeline, a child per stage, found again by their tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.tracking.connect import connect

# connect sets what MLflow reads when it is imported, so MLflow comes after it
# isort: split
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run
from PIL import Image
from tqdm import tqdm

from pipeline.tracking.record import RunRecord
from pipeline.types import Refusal

PARENT = "mlflow.parentRunId"  # the tag that nests a run under another in the UI
METRICS, PARAMS = 900, 100  # per request: MLflow takes 1000 entities, 100 params among them


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """``new`` runs were made, ``standing`` ones were there already, all under the parent called ``name``."""

    new: int
    standing: int
    name: str


def publish(parent: RunRecord, children: Sequence[RunRecord], root: Path) -> Outcome:
    """Make the runs that are not there yet; publishing the same again adds nothing.

    The parent is found by its tag ``dvc.lock``, a child by its parent and ``dvc.stage``. A child whose publishing was
    interrupted, or that lacked files which are here now, is made anew. A child whose ``dvc.inputs`` were seen under an
    earlier parent gets ``dvc.reused``.

    Raises Refusal, before anything is written, when a stage gave other outputs than an earlier run from the same
    inputs; also when there is no tracking server at the URI.
    """
    client, experiment = connect(root)
    for child in children:
        _refuse_other_outputs(client, experiment, child)
    mother = _search(client, experiment, {"dvc.lock": parent.tags["dvc.lock"]}, 1)
    run = mother[0] if mother else _create(client, experiment, parent, {})
    standing = _standing(client, experiment, run.info.run_id, children)
    missing = [child for child in children if child.stage not in standing]
    outcome = Outcome(new=len(missing), standing=len(standing), name=run.info.run_name)
    if run.info.status == "FINISHED" and not missing:
        return outcome
    with _closing(client, run.info.run_id):
        for child in tqdm(missing, desc="publish", unit="run", disable=None):
            nested = {PARENT: run.info.run_id, "git.commit": parent.tags["git.commit"]}
            if _search(client, experiment, {"dvc.inputs": child.tags["dvc.inputs"]}, 1):
                nested["dvc.reused"] = "true"
            made = _create(client, experiment, child, nested)
            with _closing(client, made.info.run_id):
                _fill(client, made, child)
        if run.info.status != "FINISHED":
            _fill(client, run, parent)
    return outcome


def _refuse_other_outputs(client: MlflowClient, experiment: str, child: RunRecord) -> None:
    inputs, outputs = child.tags["dvc.inputs"], child.tags["dvc.outputs"]
    earlier = _search(client, experiment, {"dvc.inputs": inputs}, 1, f"tags.`dvc.outputs` != '{outputs}'")
    if earlier:
        tags = earlier[0].data.tags
        outs = [name for name in child.tags if name.startswith("dvc.out.") and child.tags[name] != tags.get(name)]
        names = ", ".join(name.removeprefix("dvc.out.") for name in outs)
        raise Refusal(
            f"{child.stage} is not deterministic: from the same inputs it wrote another {names} than run "
            f"{earlier[0].info.run_id} holds: find what varies; if another kind of processor ran it, `dvc pull` its "
            f"outputs, or delete in MLflow what tags.`dvc.inputs` = '{inputs}' finds"
        )


def _standing(client: MlflowClient, experiment: str, parent: str, children: Sequence[RunRecord]) -> set[str]:
    """The stages that have a complete run under ``parent``; incomplete ones are deleted."""
    wanted = {child.stage: child for child in children}
    standing = set()
    for run in _search(client, experiment, {PARENT: parent}):
        child = wanted.get(run.data.tags["dvc.stage"])
        lacked = set(run.data.tags.get("dvc.missing", "").split())
        found = child is not None and set(child.tags.get("dvc.missing", "").split()) < lacked
        if run.info.status != "FINISHED" or found:
            client.delete_run(run.info.run_id)
        else:
            standing.add(run.data.tags["dvc.stage"])
    return standing


def _search(
    client: MlflowClient, experiment: str, tags: Mapping[str, str], most: int = 1000, also: str | None = None
) -> list[Run]:
    clauses = [*(f"tags.`{name}` = '{value}'" for name, value in tags.items()), *([also] if also else [])]
    return list(client.search_runs([experiment], " and ".join(clauses), max_results=most))


def _create(client: MlflowClient, experiment: str, record: RunRecord, more: Mapping[str, str]) -> Run:
    tags = {name: value for name, value in {**record.tags, **more}.items() if value}
    return client.create_run(experiment, tags=tags, run_name=record.stage)


def _fill(client: MlflowClient, run: Run, record: RunRecord) -> None:
    """Log all that ``record`` holds. Every metric bears the time its run began: logged again, it is the same row."""
    run_id, time = run.info.run_id, run.info.start_time
    metrics = [Metric(name, value, time, 0) for name, value in record.metrics.items()]
    metrics += [Metric(name, value, time, step) for name, curve in record.curves.items() for step, value in curve]
    params = [Param(name, value) for name, value in record.params.items()]
    for start in range(0, len(params), PARAMS):
        client.log_batch(run_id, params=params[start : start + PARAMS])
    for start in range(0, len(metrics), METRICS):
        client.log_batch(run_id, metrics=metrics[start : start + METRICS])
    for path in record.artifacts:
        if path.suffix == ".png":  # keyed by its name, so runs of different nets stand side by side on the same image
            with Image.open(path) as image:
                client.log_image(run_id, image, key=f"{path.parent.name}/{path.stem}", step=0, synchronous=True)
        else:
            client.log_artifact(run_id, str(path))
    for name, text in record.texts.items():
        client.log_text(run_id, text, name)


@contextmanager
def _closing(client: MlflowClient, run_id: str) -> Iterator[None]:
    """Leave no run RUNNING, whatever ends the block."""
    try:
        yield
    except BaseException as error:
        client.set_terminated(run_id, "FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    client.set_terminated(run_id, "FINISHED")
