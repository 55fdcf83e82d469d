"""The questions that users of this pipeline ask of its runs, as views in the menu of MLflow's UI and as links."""

from __future__ import annotations

import json
from dataclasses import dataclass

from mlflow import MlflowClient

TAG = "mlflow.sharedViewState."  # of the experiment: what "Save view" and "Share" of MLflow 3.17's UI write
SCORES = tuple(f"metrics.`{name}/semantic`" for name in ("mean_iu", "paper_iu", "mean_acc", "pixel_acc", "fw_iu"))
COMMIT = "tags.`git.commit`"
LADDER = "@voc-fcn%s' AND tags.`dvc.key` != 'voc-fcn32s-scores'"


@dataclass(frozen=True)
class View:
    """Runs found by ``search`` in ``order``, with ``columns``; metrics by step if ``charts``. ``key`` is the link's."""

    key: str
    name: str
    search: str
    columns: tuple[str, ...] = ()
    order: str = "attributes.`Created`"
    charts: bool = False

    def saved(self, time: int) -> str:
        """The tag's value, as the UI writes it; ``time`` in ms since 1970."""
        state = {
            "searchFilter": self.search,
            "orderByKey": self.order,
            "orderByAsc": False,
            "startTime": "ALL",
            "lifecycleFilter": "Active",
            "datasetsFilter": [],
            "selectedColumns": list(self.columns),
            "runsHiddenMode": "SHOWALL",  # by default, charts show ten runs
        }
        return json.dumps({"name": self.name, "createdAt": time, "updatedAt": time, "state": json.dumps(state)})

    def link(self, server: str, experiment: str) -> str:
        """The view's address at ``server``, an http(s) URI."""
        flags = [f"viewStateShareKey={self.key}", "workflowType=machine_learning"]  # the latter: no menu of chats
        flags += ["compareRunsMode=CHART"] if self.charts else []
        return f"{server.rstrip('/')}/#/experiments/{experiment}/runs?{'&'.join(flags)}"


VIEWS = (
    View(
        "ladder",
        "The ladder on VOC: 32s, 16s, 8s, 4s by mean IU",
        f"tags.`dvc.stage` LIKE 'evaluate{LADDER}",
        (*SCORES, "params.`stride`", "params.`recipes.solver.lr`", COMMIT),
        SCORES[0],
    ),
    View("curves", "The ladder's losses", f"tags.`dvc.stage` LIKE 'train{LADDER}", charts=True),
    View(
        "evaluations",
        "All evaluations by mean IU",
        "tags.`dvc.stage` LIKE 'evaluate@%'",
        (*SCORES, "params.`backbone`", "params.`dataset`", COMMIT),
        SCORES[0],
    ),
    View(
        "pipelines",
        "Pipelines: one run for each dvc.lock",
        "tags.`dvc.lock` IS NOT NULL",
        (COMMIT, "tags.`git.dirty`", "tags.`dvc.exp`", "tags.`dvc.lock`"),
    ),
    View(
        "unfinished",
        "Runs that were killed, failed, or go on",
        "attributes.status != 'FINISHED'",
        ("tags.`dvc.stage`", COMMIT),
    ),
)


def save(client: MlflowClient, experiment: str) -> None:
    """Write on the experiment the views that are not there, or other than here."""
    known = client.get_experiment(experiment)
    for view in VIEWS:
        value = view.saved(known.creation_time or 0)
        if known.tags.get(TAG + view.key) != value:
            client.set_experiment_tag(experiment, TAG + view.key, value)
