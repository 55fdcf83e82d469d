"""The runs of a store: find the one that a stage has already, know what it has, add what it lacks."""

import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path

from mlflow import MlflowClient
from mlflow.artifacts import load_dict
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from PIL import Image
from requests import RequestException

from pipeline.core.types import Refusal
from pipeline.tracking.record import key, shortened

METRICS, PARAMS, TAGS = 800, 100, 100  # per request: MLflow takes 1000 entities, 100 params and 100 tags among them
TAG_CHARS = 5000  # MLflow's longest tag
FINISHED = "FINISHED"
PIPELINES = "pipelines"  # the tag of the pipelines that a run is in, 8 digits of each dvc.lock; the first made it
LINEAGE = "lineage.json"  # the artifact that has all hashes
TIMED = "time.net"  # the tag by which timings are found
FOREVER = (None, errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOENT)  # None: Pillow's, of a broken file

Words = Mapping[str, str]
Item = Metric | Param | RunTag
NONE: Words = {}


def find(client: MlflowClient, experiment: str, stages: Iterable[Words], mark: str = "") -> dict[str, Run]:
    """The run of each of ``stages`` that has one, by stage; each is known by the tags of its dvc.lock entry.

    Runs of the pipeline ``mark`` are asked for at once, for most stages have theirs there. A run that a stage left
    live has no ``dvc.inputs`` yet: the newest that finished is taken whose outputs are the stage's.

    Raises Refusal when a stage gave other outputs than an earlier run has from the same inputs.
    """
    together = search(client, experiment, f"tags.{PIPELINES} LIKE '%{mark}%'") if mark else []
    marked = {run.data.tags["dvc.stage"]: run for run in together}
    found = {}
    for tags in stages:
        stage, run = tags["dvc.stage"], marked.get(tags["dvc.stage"])
        if run is None or run.data.tags.get("dvc.inputs") != tags["dvc.inputs"]:
            wrote = f"tags.`dvc.stage` = '{stage}' and tags.`dvc.outputs` = '{tags['dvc.outputs']}'"
            live = f"{wrote} and tags.`dvc.inputs` IS NULL and status = '{FINISHED}'"
            run = first(search(client, experiment, same(tags))) or next(iter(search(client, experiment, live, 1)), None)
        if run is not None:
            found[stage] = run
            if run.data.tags.get("dvc.outputs", tags["dvc.outputs"]) != tags["dvc.outputs"]:
                raise Refusal(
                    f"{stage} is not deterministic: from the same inputs it wrote other files than {LINEAGE} of run "
                    f"{run.info.run_id} names: find what varies; if another kind of processor ran it, `dvc pull` its "
                    f"outputs, or delete in MLflow what tags.`dvc.inputs` = '{tags['dvc.inputs']}' finds"
                )
    return found


def search(client: MlflowClient, experiment: str, query: str, most: int = 1000) -> list[Run]:
    """Active runs, newest first."""
    return list(client.search_runs([experiment], query, max_results=most, order_by=["attributes.start_time DESC"]))


def first(runs: Iterable[Run]) -> Run | None:
    """Of runs of one stage and inputs the one that counts: a finished one, then the oldest."""
    order = sorted(runs, key=lambda run: (run.info.status != FINISHED, run.info.start_time, run.info.run_id))
    return order[0] if order else None


def same(tags: Words) -> str:
    """The query for all runs of a stage with these inputs."""
    return f"tags.`dvc.stage` = '{tags['dvc.stage']}' and tags.`dvc.inputs` = '{tags['dvc.inputs']}'"


def lineage(run: Run) -> dict[str, dict[str, str]]:
    """A published run's hashes: ``deps`` and ``outs`` by path, ``upstream`` by stage. Empty for any other run."""
    try:
        return dict(load_dict(f"{run.info.artifact_uri}/{LINEAGE}"))
    except (MlflowException, OSError):
        return {}


def kept(found: Iterable[Run], versions: Iterable[ModelVersion], outputs: Set[str], mark: str) -> set[str]:
    """The ids of those of ``found`` that ``versions``, or the md5 of ``outputs``, came from, over all their upstream.

    So did those with ``mark``, which publish gives to every run of a dvc.lock.
    """
    hashes = {run.info.run_id: lineage(run) for run in found}
    ids, upstream, before = {str(each.run_id) for each in versions}, set(), -1
    while len(ids) > before:
        before = len(ids)
        for run in found:
            tags, own = run.data.tags, hashes[run.info.run_id]
            outs, here = set(own.get("outs", {}).values()), mark in tags.get(PIPELINES, "").split()
            if run.info.run_id in ids or here or outs & outputs or tags.get("dvc.inputs") in upstream:
                ids.add(run.info.run_id)
                upstream |= set(own.get("upstream", {}).values())
    return ids


def items(metrics: Sequence[Metric] = (), params: Words = NONE, tags: Words = NONE) -> list[Item]:
    """What ``log`` takes, no longer than MLflow does; empty tags are left out."""
    words = [RunTag(name, value[:TAG_CHARS]) for name, value in tags.items() if value]
    return [*(Param(key(name), shortened(value)) for name, value in params.items()), *words, *metrics]


def log(client: MlflowClient, run_id: str, batch: Sequence[Item]) -> None:
    """All of ``batch``, in as few requests as MLflow takes."""
    metrics = [item for item in batch if isinstance(item, Metric)]
    params = [item for item in batch if isinstance(item, Param)]
    tags = [item for item in batch if isinstance(item, RunTag)]
    while metrics or params or tags:
        client.log_batch(run_id, metrics[:METRICS], params[:PARAMS], tags[:TAGS])
        metrics, params, tags = metrics[METRICS:], params[PARAMS:], tags[TAGS:]


def log_each(client: MlflowClient, run_id: str, batch: Sequence[Item]) -> Iterator[tuple[Item, Exception]]:
    """``log``, but yield what MLflow will never take, with its reason; halves find it."""
    try:
        log(client, run_id, batch)
    except MlflowException as error:
        if not refused(error):
            raise
        if len(batch) == 1:
            yield batch[0], error
        else:
            for part in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
                yield from log_each(client, run_id, part)


def refused(error: Exception) -> bool:
    """Whether the same request would fail again: its content is wrong, not the server, the network or the disk."""
    if isinstance(error, MlflowException):
        return error.error_code in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")
    if isinstance(error, RequestException | ConnectionError | TimeoutError):
        return False
    return error.errno in FOREVER if isinstance(error, OSError) else isinstance(error, SyntaxError | ValueError)


def last(run: Run) -> dict[str, Metric]:
    """The last point of each of the run's curves, with step and time, which its ``data.metrics`` lacks."""
    return {metric.key: metric for metric in run.data.to_proto().metrics}


def artifacts(client: MlflowClient, run_id: str, folder: str | None = None) -> Iterator[str]:
    """The paths of all files of a run."""
    for file in client.list_artifacts(run_id, folder):
        if file.is_dir:
            yield from artifacts(client, run_id, file.path)
        else:
            yield file.path


def picture(client: MlflowClient, run_id: str, there: set[str], path: Path, name: str, step: int, at: int = 0) -> None:
    """Show the PNG ``path`` as ``name`` at ``step`` (``at`` in ms), unless the run's files ``there`` hold it.

    MLflow writes the small WebP after the PNG: a picture without one was cut off. Their names take 80 characters more.
    """
    name = key(name, r"[^a-zA-Z0-9_\-./ ]", 150)
    begin = f"images/{name.replace('/', '~')}+step+{step}+"
    if any(file.startswith(begin) and file.endswith(".webp") for file in there):
        return
    with Image.open(path) as image:
        client.log_image(run_id, image, key=name, step=step, timestamp=at or None, synchronous=True)


def timing(
    client: MlflowClient, experiment: str, net: str, tags: Words, numbers: Mapping[str, float], facts: Words
) -> None:
    """Log how long a net takes as a run of its own, ``time/<name>``: that is a machine's, not a stage's of dvc.lock."""
    run = client.create_run(experiment, tags={TIMED: net, **tags}, run_name=f"time {net}")
    metrics = [Metric(f"time/{name}", value, run.info.start_time, 0) for name, value in numbers.items()]
    log(client, run.info.run_id, items(metrics, facts))
    client.set_terminated(run.info.run_id)
