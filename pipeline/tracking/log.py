"""Log all that a record holds onto a run, less what the run has: logged twice is logged once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run
from PIL import Image

from pipeline.tracking import confusion, connect  # noqa: F401  connect sets what MLflow reads when it is imported
from pipeline.tracking.record import Confusion, RunRecord, Split

METRICS, PARAMS = 900, 100  # per request: MLflow takes 1000 entities, 100 params among them
DIGEST = 36  # characters of a data set's digest that MLflow takes; the whole stands in its profile


def fill(client: MlflowClient, run: Run, record: RunRecord) -> None:
    """Add ``record``'s params, numbers, splits and files to ``run``; its tags are the caller's.

    A curve that the run has stays, and only its end is added if that is missing: MLflow keeps a step logged twice
    twice. A number that the run has otherwise gets the record's value as its last.
    """
    run_id = run.info.run_id
    params = [Param(name, value) for name, value in record.params.items() if name not in run.data.params]
    for start in range(0, len(params), PARAMS):
        client.log_batch(run_id, params=params[start : start + PARAMS])
    metrics = list(_metrics(run, record))
    for start in range(0, len(metrics), METRICS):
        client.log_batch(run_id, metrics=metrics[start : start + METRICS])
    if record.splits:
        client.log_inputs(run_id, datasets=[_input(split) for split in record.splits])
    there = set(_files(client, run_id))
    _attach(client, run_id, record, there)
    for head, counts in record.confusions.items():
        _confusion(client, run_id, f"{record.stage}: {head}", head, counts, there)


def _metrics(run: Run, record: RunRecord) -> Iterator[Metric]:
    time = run.info.end_time or run.info.start_time
    last = {metric.key: metric for metric in run.data.to_proto().metrics}  # the data's own maps lack steps and times
    for name, curve in record.curves.items():
        begun = last[name].step if name in last else -1
        yield from (Metric(name, value, time, step) for step, value in curve if step > begun)
    for name, value in record.metrics.items():
        if name not in last:
            yield Metric(name, value, time, 0)
        elif last[name].value != value:
            yield Metric(name, value, max(time, last[name].timestamp + 1), last[name].step)


def _input(split: Split) -> DatasetInput:
    """MLflow's MetaDataset, made without loading mlflow.data: a name, a digest and a source."""
    remote = "://" in split.source
    source = {"url": split.source} if remote else {"uri": split.source}
    dataset = Dataset(
        name=split.name,
        digest=split.digest[:DIGEST],
        source_type="http" if remote else "local",
        source=json.dumps(source),
        profile=json.dumps({"digest": split.digest, "rows": split.rows}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", split.context)])


def _files(client: MlflowClient, run_id: str, folder: str | None = None) -> Iterator[str]:
    for file in client.list_artifacts(run_id, folder):
        if file.is_dir:
            yield from _files(client, run_id, file.path)
        else:
            yield file.path


def _attach(client: MlflowClient, run_id: str, record: RunRecord, there: set[str]) -> None:
    images = [PurePosixPath(file).name for file in there if file.startswith("images/")]
    for path in record.artifacts:
        if path.suffix == ".png":  # keyed by its name, so runs of different nets stand side by side on the same image
            key = f"{path.parent.name}/{path.stem}"
            if not any(name.startswith(f"{key.replace('/', '~')}+step+0+") for name in images):
                with Image.open(path) as image:
                    client.log_image(run_id, image, key=key, step=0, synchronous=True)
        elif path.name not in there:
            client.log_artifact(run_id, str(path))
    for name, text in record.texts.items():
        if name not in there:
            client.log_text(run_id, text, name)


def _confusion(client: MlflowClient, run_id: str, title: str, head: str, counts: Confusion, there: set[str]) -> None:
    """The table of classes, which MLflow shows beside other runs', and the matrix to look at and to compute with."""
    if (classes := f"iu/{head}.json") not in there:
        rows = pd.DataFrame(confusion.table(counts)).astype({"class": object})  # pandas' own texts make MLflow warn
        client.log_table(run_id, rows, classes)
    if (whole := f"confusion/{head}.json") not in there:
        client.log_dict(run_id, {"classes": list(counts.classes), "counts": counts.counts.tolist()}, whole)
    if (picture := f"confusion/{head}.png") not in there:
        client.log_figure(run_id, confusion.draw(title, counts), picture)
