"""How long stages took, by the runs that they left live."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# connect sets what MLflow reads when it is imported, so MLflow comes after it
from mlflow.entities import Run

from pipeline.tracking.adopt import FINISHED, search
from pipeline.tracking.connect import connect

LIVE = "live.device"  # the tag of a run that began and ended with its stage; publish makes others, in no time
RECENT = 500  # runs to look through


def seconds(root: Path, stages: Mapping[str, Mapping[str, str]]) -> dict[str, float]:
    """Of each of ``stages`` that has one, the seconds of its newest finished run that agrees with the params given.

    Params are as runs have them: the stage's key left out, values canonical; one that the run has not is no matter.
    Raises Refusal when no tracking server answers.
    """
    client, experiment = connect(root)
    runs = search(client, experiment, f"tags.`{LIVE}` IS NOT NULL and attributes.status = '{FINISHED}'", RECENT)
    found: dict[str, float] = {}
    for run in runs:
        stage = run.data.tags.get("dvc.stage", "")
        if stage in stages and stage not in found and _agrees(run, stages[stage]):
            found[stage] = (run.info.end_time - run.info.start_time) / 1000
    return found


def _agrees(run: Run, params: Mapping[str, str]) -> bool:
    theirs = run.data.params
    return bool(run.info.end_time) and all(theirs.get(name, value) == value for name, value in params.items())
