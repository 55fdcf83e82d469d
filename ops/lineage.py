"""Tell what a stage's result came from, down to the archives: fcn lineage train@voc-fcn8s."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
from mlflow.entities import Run

from pipeline.core.types import Refusal
from pipeline.tracking.connect import answering, connect
from pipeline.tracking.runs import find
from stages._records import identity
from stages._sources import urls
from stages.shared.dvc import Entry, entries, overlap, upstream
from stages.shared.stage import Stage

NO_RUN = "no run: fcn backfill"
CODE = (".py", "pipeline", "stages")  # deps that are no data
SCORES = ("loss", "mean_iu")

Row = dict[str, Any]


@click.command(cls=Stage)
@click.argument("stage")
@click.option("--json", "as_json", is_flag=True, help="All of it, as one JSON object by stage.")
def main(stage: str, as_json: bool) -> None:
    """Draw STAGE of dvc.lock and all that it builds on: fingerprint, run, commit (+ if dirty), when, loss or score."""
    rows = lineage(Path.cwd(), stage)
    click.echo(json.dumps(rows, indent=1) if as_json else "\n".join(_branch(stage, rows, set())))


def lineage(root: Path, stage: str) -> dict[str, Row]:
    """``stage`` and all that it builds on, by address, nearest first, as far as dvc.lock in ``root`` knows.

    A row's ``outs`` and ``data`` give md5 by path, ``data`` what was read that no stage wrote; ``upstream`` are
    addresses, ``urls`` what was fetched, ``run`` is None where the tracking server has none of these inputs.

    Raises Refusal for a stage that dvc.lock lacks, and when no tracking server answers.
    """
    found = entries(root)
    if stage not in found:
        close = get_close_matches(stage, found, n=1)
        raise Refusal(f"dvc.lock has no stage {stage}: " + (f"did you mean {close[0]}?" if close else ", ".join(found)))
    before: dict[str, list[Entry]] = {}
    queue = [found[stage]]
    for entry in queue:
        if entry.stage not in before:
            before[entry.stage] = upstream(entry, found)
            queue += before[entry.stage]
    client, experiment = connect(root)
    with answering(client):
        runs = find(client, experiment, [identity(found[name]) for name in before])
    return {name: _row(found[name], others, runs.get(name)) for name, others in before.items()}


def _row(entry: Entry, before: list[Entry], run: Run | None) -> Row:
    written = {out for other in before for out in other.outs}
    data = {
        dep: md5 for dep, md5 in entry.deps.items() if not (_code(dep) or any(overlap(dep, out) for out in written))
    }
    return {
        "fingerprint": entry.inputs,
        "upstream": [other.stage for other in before],
        "outs": dict(entry.outs),
        "data": data,
        "urls": urls(entry),
        "run": None if run is None else _run(run),
    }


def _run(run: Run) -> Row:
    started = datetime.fromtimestamp(run.info.start_time / 1000).astimezone()
    return {
        "id": run.info.run_id,
        "status": run.info.status,
        "commit": run.data.tags.get("git.commit", ""),
        "dirty": run.data.tags.get("git.dirty") == "true",
        "backfilled": "backfilled" in run.data.tags,
        "started": started.isoformat(timespec="seconds"),
        "scores": {name: value for name, value in run.data.metrics.items() if name.partition("/")[0] in SCORES},
    }


def _code(dep: str) -> bool:
    return dep.endswith(".py") or dep.partition("/")[0] in CODE


def _branch(name: str, rows: Mapping[str, Row], seen: set[str]) -> list[str]:
    """Lines that draw ``rows`` from ``name`` down; what several stages build on is drawn once."""
    row = rows[name]
    head = f"{name} {row['fingerprint'][:8]}"
    if name in seen:
        return [f"{head} (above)"]
    seen.add(name)
    data = row["data"] if row["upstream"] else {**row["data"], **row["outs"]}
    leaves = [f"{path} md5 {md5}" for path, md5 in data.items()] + row["urls"]
    twigs = [[leaf] for leaf in leaves] + [_branch(other, rows, seen) for other in row["upstream"]]
    lines = [f"{head}  {_summary(row['run'])}"]
    for place, (first, *rest) in enumerate(twigs, 1):
        mark, indent = ("└─ ", "   ") if place == len(twigs) else ("├─ ", "│  ")
        lines += [f"{mark}{first}", *(f"{indent}{line}" for line in rest)]
    return lines


def _summary(run: Row | None) -> str:
    if run is None:
        return NO_RUN
    commit = f"{run['commit'][:7]}{'+' if run['dirty'] else ''}"
    when = run["started"][:16].replace("T", " ")
    scores = [f"{name} {value:.4g}" for name, value in run["scores"].items()]
    backfilled = ["backfilled"] if run["backfilled"] else []
    return "  ".join([f"run {run['id']}", run["status"], commit, when, *scores, *backfilled])
