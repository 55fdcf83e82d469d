"""The questions that users of this pipeline ask of its runs, as views in the menu of MLflow's UI and as links."""

from __future__ import annotations

import json
from dataclasses import dataclass

from mlflow import MlflowClient

TAG = "mlflow.sharedViewState."  # of the experiment: what "Save view" and "Share" of MLflow 3.17's UI write
SCORES = tuple(f"metrics.`{name}/semantic`" for name in ("mean_iu", "mean_acc", "pixel_acc", "fw_iu"))
PRINTED = "metrics.`paper_iu/semantic`"


@dataclass(frozen=True, kw_only=True)
class View:
    """Runs found by ``search`` in ``order``, with ``columns``; metrics by step if ``charts``. ``key`` is the link's."""

    key: str
    name: str
    search: str
    order: str = "attributes.`Created`"
    columns: tuple[str, ...] = ()
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
        key="ladder",
        name="The ladder on VOC: 32s, 16s, 8s, 4s by mean IU",
        search="tags.`dvc.stage` LIKE 'evaluate@voc-fcn%s' AND tags.`dvc.key` != 'voc-fcn32s-scores'",
        order=SCORES[0],
        columns=(*SCORES, PRINTED, "params.`stride`", "params.`recipes.solver.lr`", "tags.`git.commit`"),
    ),
    View(
        key="curves",
        name="The ladder's losses",
        search="tags.`dvc.stage` LIKE 'train@voc-fcn%s' AND tags.`dvc.key` != 'voc-fcn32s-scores'",
        charts=True,
    ),
    View(
        key="evaluations",
        name="All evaluations by mean IU",
        search="tags.`dvc.stage` LIKE 'evaluate@%'",
        order=SCORES[0],
        columns=(*SCORES, PRINTED, "params.`backbone`", "params.`dataset`", "tags.`git.commit`"),
    ),
    View(
        key="changed",
        name="What ran anew: the stages, newest first",
        search="tags.`dvc.stage` IS NOT NULL",
        columns=("tags.`dvc.stage`", "tags.`git.commit`", "tags.`dvc.inputs`", "tags.`dvc.outputs`"),
    ),
    View(
        key="pipelines",
        name="Pipelines: one run for each dvc.lock",
        search="tags.`dvc.lock` IS NOT NULL",
        columns=("tags.`git.commit`", "tags.`git.dirty`", "tags.`dvc.exp`", "tags.`dvc.lock`"),
    ),
    View(
        key="unfinished",
        name="Runs that were killed, failed, or go on",
        search="attributes.status != 'FINISHED'",
        columns=("tags.`dvc.stage`", "tags.`git.commit`"),
    ),
)


def save(client: MlflowClient, experiment: str) -> None:
    """Write on the experiment the views that are not there, or other than here."""
    known = client.get_experiment(experiment)
    for view in VIEWS:
        value = view.saved(known.creation_time or 0)
        if known.tags.get(TAG + view.key) != value:
            client.set_experiment_tag(experiment, TAG + view.key, value)
