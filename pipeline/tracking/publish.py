"""Give every stage of dvc.lock its run in MLflow, and the pipeline a parent that they nest under."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Run
from PIL import Image
from tqdm import tqdm

from pipeline.lock_file import locked
from pipeline.tracking import confusion, runs
from pipeline.tracking.connect import answering, connect
from pipeline.tracking.record import RunRecord
from pipeline.tracking.runs import FINISHED, LINEAGE, PIPELINES, first, items, log, same, search
from pipeline.tracking.sync import SUPERSEDED
from pipeline.tracking.uri import SQLITE

PARENT = "mlflow.parentRunId"  # the tag that nests a run under another in the UI
MISSING = "dvc.missing"  # what the run lacks, set apart by spaces; the last tag that a run gets: without it it is begun
NOTHING = "nothing"
MOST = 500  # pipelines that a run's tag names
SPLIT = itemgetter("context", "name", "digest", "source_type", "source", "profile")
NEW, COMPLETED, ADOPTED, UNCHANGED = "new", "completed", "adopted", "unchanged"


def publish(parent: RunRecord, children: Sequence[RunRecord], root: Path, backfilled: bool = False) -> str:
    """Give every stage its run, and the pipeline its parent; publishing the same again changes nothing.

    The parent is found by its tag ``dvc.lock``, a child by ``dvc.stage`` and ``dvc.inputs``, a live one by what it
    wrote. A run's tag ``pipelines`` has 8 digits of the dvc.lock of every pipeline it is in, and it nests under the
    newest. One that was live, left half done, or lacked files which are here now, is completed; one of another
    pipeline is adopted as it is. Returns how many there were of each kind, and the parent's name.

    Raises Refusal, before anything is written, when a stage gave other outputs than an earlier run from the same
    inputs; also when there is no tracking server at the URI, or it dies: publishing again goes on from there.
    """
    client, experiment = connect(root)
    lock = parent.tags["dvc.lock"]
    extra = {"backfilled": "true"} if backfilled else {}
    with answering(client), locked(_lock(client, root)):
        mark = lock[:8]
        found = runs.find(client, experiment, [child.tags for child in children], mark)
        query = f"tags.`dvc.lock` = '{lock}'"
        top = first(search(client, experiment, query)) or _create(client, experiment, parent, extra, query)[0]
        _bring(client, parent, top, {})
        count: Counter[str] = Counter()
        for child in tqdm(children, desc="publish", disable=None):
            if run := found.get(child.stage):
                count[_bring(client, child, run, _joining(run, top, mark))] += 1
                continue
            member = {PARENT: top.info.run_id, PIPELINES: mark, **extra}
            run, ours = _create(client, experiment, child, member, same(child.tags))
            count[NEW if ours else UNCHANGED] += 1
            if ours:
                _bring(client, child, run, {})
    others = ", ".join(f"{count[what]} {what}" for what in (COMPLETED, ADOPTED, UNCHANGED))
    return f"{count[NEW]} new runs, {others}, under {top.info.run_name}"


def _joining(run: Run, top: Run, mark: str) -> dict[str, str]:
    """The tags that make ``run`` a member of the pipeline ``mark`` under ``top``; none where it is one."""
    known = run.data.tags.get(PIPELINES, "").split()
    if mark in known:
        return {}
    return {PARENT: top.info.run_id, PIPELINES: " ".join([*known[:1], *known[1:][-MOST:], mark])}


def _lock(client: MlflowClient, root: Path) -> Path:
    """One publisher at a time: of a database file wherever it runs, of a server in this checkout."""
    uri = client.tracking_uri
    return Path(f"{uri.removeprefix(SQLITE) if uri.startswith(SQLITE) else root / 'mlflow.db'}.publish.lock")


def _create(
    client: MlflowClient, experiment: str, record: RunRecord, extra: Mapping[str, str], query: str
) -> tuple[Run, bool]:
    """A run as yet empty and True; or the one that ``query`` finds, of a faster publisher on another machine."""
    tags = {name: text for name, text in {**record.tags, **record.origin, **extra}.items() if text}
    made = client.create_run(experiment, tags=tags, run_name=record.stage)
    for name, text in record.texts.items():
        client.log_text(made.info.run_id, text, name)
    winner = first(search(client, experiment, query)) or made
    if winner.info.run_id == made.info.run_id:
        return made, True
    client.delete_run(made.info.run_id)
    return winner, False


def _bring(client: MlflowClient, record: RunRecord, run: Run, joining: Mapping[str, str]) -> str:
    """Have ``run`` complete and a member by the tags ``joining``; returns what was done."""
    there = run.data.tags
    lacking = set(there[MISSING].split()) if MISSING in there else None
    if run.info.status == FINISHED and lacking is not None and lacking - {NOTHING} <= set(record.missing):
        log(client, run.info.run_id, items(tags=joining))
        return ADOPTED if joining else UNCHANGED
    missing = set(record.missing) if lacking is None else lacking & set(record.missing)
    _fill(client, run, record)
    fresh = {name: text for name, text in {**record.origin, **record.tags}.items() if name not in there}
    log(client, run.info.run_id, items(tags={**fresh, **joining}))
    if SUPERSEDED in there:
        client.delete_tag(run.info.run_id, SUPERSEDED)
    if run.info.status != FINISHED:
        client.set_terminated(run.info.run_id)
    log(client, run.info.run_id, items(tags={MISSING: " ".join(sorted(missing)) or NOTHING}))
    return COMPLETED


def _fill(client: MlflowClient, run: Run, record: RunRecord) -> None:
    """Add ``record``'s params, numbers, splits and files to ``run``, less what it has; a broken picture is told of."""
    run_id = run.info.run_id
    params = {name: value for name, value in record.params.items() if name not in run.data.params}
    log(client, run_id, items(list(_metrics(run, record)), params))
    for context, *fields in map(SPLIT, record.splits):  # MLflow's MetaDataset, made without loading mlflow.data
        client.log_inputs(run_id, datasets=[DatasetInput(Dataset(*fields), [InputTag("mlflow.data.context", context)])])
    there = set(runs.artifacts(client, run_id))
    if record.lineage and LINEAGE not in there:
        client.log_dict(run_id, dict(record.lineage), LINEAGE)
    for path in record.artifacts:
        if path.suffix == ".png":  # keyed by its name, so runs of different nets stand side by side on the same image
            try:
                runs.picture(client, run_id, there, path, f"{path.parent.name}/{path.stem}", 0)
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
                if not runs.refused(error):
                    raise
                logging.warning("%s cannot be shown in MLflow: %s", path, error)
        elif path.name not in there:
            client.log_artifact(run_id, str(path))
    for head, (classes, counts) in confusion.read(record.hist).items() if record.hist else ():
        if (name := f"iu/{head}.json") not in there:  # MLflow shows it beside other runs'
            rows = pd.DataFrame(confusion.table(classes, counts)).astype({"class": object})  # or MLflow warns
            client.log_table(run_id, rows, name)
        if (name := f"confusion/{head}.png") not in there:
            client.log_figure(run_id, confusion.draw(f"{record.stage}: {head}", classes, counts), name)


def _metrics(run: Run, record: RunRecord) -> Iterator[Metric]:
    """The ends of curves that the run lacks, and numbers that it has not, or otherwise: then the record's is last."""
    time, known = run.info.end_time or run.info.start_time, runs.last(run)
    for name, curve in record.curves.items():
        begun = known[name].step if name in known else -1
        yield from (Metric(name, value, time, step) for step, value in curve if step > begun)
    for name, value in record.metrics.items():
        if name not in known:
            yield Metric(name, value, time, 0)
        elif known[name].value != value:
            yield Metric(name, value, max(time, known[name].timestamp + 1), known[name].step)
