"""The questions that users of this pipeline ask of its runs, as views that MLflow's UI opens by link."""

from __future__ import annotations

import json
from dataclasses import dataclass

from mlflow import MlflowClient

TAG = "mlflow.sharedViewState."  # of the experiment: what the UI's own "share" button writes, and looks up by key
SCORES = tuple(f"metrics.`semantic/{name}`" for name in ("mean_iu", "pixel_acc", "mean_acc", "fw_iu"))
KEY, NET = "tags.`dvc.key`", "params.`recipes.backbone`"


@dataclass(frozen=True, kw_only=True)
class View:
    """``search`` is in MLflow's search syntax, ``order`` and ``columns`` are its keys; ``key`` is the link's."""

    key: str
    title: str
    search: str
    order: str = "attributes.`Created`"
    ascending: bool = False
    columns: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """The UI's state, as JSON: of the facets and columns it keeps itself, those that differ from its defaults."""
        return json.dumps(
            {
                "searchFilter": self.search,
                "orderByKey": self.order,
                "orderByAsc": self.ascending,
                "startTime": "ALL",
                "lifecycleFilter": "Active",
                "datasetsFilter": [],
                "selectedColumns": list(self.columns),
                "runsHiddenMode": "SHOWALL",
            }
        )


VIEWS: tuple[View, ...] = ()


def save(client: MlflowClient, experiment: str) -> None:
    """Write the views that are not there yet, or other than here, on the experiment."""
    tags = client.get_experiment(experiment).tags
    for view in VIEWS:
        if tags.get(TAG + view.key) != view.state:
            client.set_experiment_tag(experiment, TAG + view.key, view.state)


def link(server: str, experiment: str, view: View) -> str:
    """The view's address at ``server``, an http(s) URI."""
    return f"{server.rstrip('/')}/#/experiments/{experiment}/runs?viewStateShareKey={view.key}"
