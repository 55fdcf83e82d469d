"""Tell what a stage's result came from, down to the archives: fcn lineage train@voc-fcn8s."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import click
from mlflow.entities import Run

from pipeline.core import fields
from pipeline.core.types import Refusal
from pipeline.tracking.connect import answering, connect
from pipeline.tracking.runs import find
from stages._records import identity, urls
from stages.shared.dvc import Entry, entries, overlap, upstream
from stages.shared.stage import Stage

CODE = ("pipeline", "stages")  # deps that are no data
SCORES = ("loss", "mean_iu")


@click.command(cls=Stage)
@click.argument("stage")
def main(stage: str) -> None:
    """Draw STAGE of dvc.lock and all that it builds on: fingerprint, run, commit (+ if dirty), when, loss or score."""
    found = entries(Path.cwd())
    if stage not in found:
        raise Refusal(f"dvc.lock has no stage {stage}: {fields.nearest(stage, found).strip() or ', '.join(found)}")
    before: dict[str, list[Entry]] = {}
    queue = [found[stage]]
    for entry in queue:
        if entry.stage not in before:
            before[entry.stage] = upstream(entry, found)
            queue += before[entry.stage]
    client, experiment = connect(Path.cwd())
    with answering(client):
        runs = find(client, experiment, [identity(found[name]) for name in before])
    click.echo("\n".join(_branch(found[stage], before, runs, set())))


def _branch(entry: Entry, before: Mapping[str, Sequence[Entry]], runs: Mapping[str, Run], seen: set[str]) -> list[str]:
    """Lines that draw ``entry`` and what is ``before`` it; what several stages build on is drawn once."""
    head, others = f"{entry.stage} {entry.inputs[:8]}", before[entry.stage]
    if entry.stage in seen:
        return [f"{head} (above)"]
    seen.add(entry.stage)
    written = {out for other in others for out in other.outs}
    read = [dep for dep in entry.deps if not any(overlap(dep, out) for out in written)]
    data = {dep: entry.deps[dep] for dep in read if not (dep.endswith(".py") or dep.partition("/")[0] in CODE)}
    data |= {} if others else entry.outs
    twigs = [[leaf] for leaf in [*(f"{path} md5 {md5}" for path, md5 in data.items()), *urls(entry)]]
    twigs += [_branch(other, before, runs, seen) for other in others]
    lines = [f"{head}  {_summary(runs[entry.stage]) if entry.stage in runs else 'no run: fcn backfill'}"]
    for place, (first, *rest) in enumerate(twigs, 1):
        mark, indent = ("└─ ", "   ") if place == len(twigs) else ("├─ ", "│  ")
        lines += [f"{mark}{first}", *(f"{indent}{line}" for line in rest)]
    return lines


def _summary(run: Run) -> str:
    tags = run.data.tags
    commit = tags.get("git.commit", "")[:7] + ("+" if tags.get("git.dirty") == "true" else "")
    when = f"{datetime.fromtimestamp(run.info.start_time / 1000).astimezone():%Y-%m-%d %H:%M}"
    scores = [f"{name} {value:.4g}" for name, value in run.data.metrics.items() if name.partition("/")[0] in SCORES]
    backfilled = ["backfilled"] if "backfilled" in tags else []
    return "  ".join([f"run {run.info.run_id}", run.info.status, commit, when, *scores, *backfilled])
