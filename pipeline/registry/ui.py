"""What `fcn ui` shows, the questions that users ask of the runs as views in MLflow's menu, and where it may listen."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.core.types import Refusal

if TYPE_CHECKING:  # it takes seconds, and an address needs none
    from mlflow import MlflowClient

TAG = "mlflow.sharedViewState."  # of the experiment: what "Save view" and "Share" of MLflow 3.17's UI write
SCORES = tuple(f"metrics.`{name}/semantic`" for name in ("mean_iu", "paper_iu", "mean_acc", "pixel_acc", "fw_iu"))
COMMIT = "tags.`git.commit`"
EVERY = ("0.0.0.0", "::")  # stand for all addresses of the machine
CURRENT = " AND tags.superseded IS NULL"
LADDER = "@voc-fcn%s' AND tags.`dvc.key` != 'voc-fcn32s-scores'" + CURRENT


@dataclass(frozen=True)
class View:
    """Runs found by ``search`` in ``order``, with ``columns``; if ``charts``, those first. ``key`` is the link's."""

    key: str
    name: str
    search: str
    columns: tuple[str, ...] = ()
    order: str = "attributes.`Created`"
    charts: tuple[str, ...] = ()

    def saved(self, time: int, pictures: Iterable[str] = ()) -> str:
        """The tag's value, as the UI writes it; ``time`` in ms since 1970. ``pictures`` follow the charts."""
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
        if self.charts:
            state |= _charts(self.charts, pictures)
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
    View(
        "curves",
        "The ladder's losses",
        f"tags.`dvc.stage` LIKE 'train{LADDER}",
        charts=("validation/semantic/mean_iu", "loss", "lr_log10"),
    ),
    View(
        "evaluations",
        "All evaluations by mean IU",
        "tags.`dvc.stage` LIKE 'evaluate@%'" + CURRENT,
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
        pictures = _pictures(client, experiment, view.search) if view.charts else []
        value = view.saved(known.creation_time or 0, pictures)
        if known.tags.get(TAG + view.key) != value:
            client.set_experiment_tag(experiment, TAG + view.key, value)


def _pictures(client: MlflowClient, experiment: str, search: str) -> list[str]:
    """The names of the newest run's pictures, of those that ``search`` finds."""
    query = f"{search} AND tags.`mlflow.loggedImages` = 'True'"
    found = client.search_runs([experiment], query, max_results=1)
    files = (file.path for run in found for file in client.list_artifacts(run.info.run_id, "images"))
    return sorted({path.removeprefix("images/").partition("+step+")[0].replace("~", "/") for path in files})


def _charts(metrics: Iterable[str], pictures: Iterable[str]) -> dict[str, Any]:
    """A section of charts for a view's state, as MLflow 3.17's UI writes it; the UI adds the other metrics below.

    The loss is on a logarithmic scale; pictures are without their run's params, which would hide them.
    """
    card = {"metricSectionId": "first", "runsCountToCompare": 10, "deleted": False, "isGenerated": True}
    line: dict[str, Any] = {"type": "LINE", "xAxisKey": "step", "yAxisKey": "metric", "useGlobalXaxisKey": True}
    line |= {"lineSmoothness": 0, "useGlobalLineSmoothing": True, "yAxisExpressions": [], "range": {}}
    shown = {"type": "IMAGE", "step": 0, "showRunParams": False}
    cards: list[dict[str, Any]] = []
    for name in metrics:
        own = {"uuid": name, "metricKey": name, "selectedMetricKeys": [name]}
        cards.append({**card, **line, **own, "scaleType": "log" if name == "loss" else "linear"})
    cards += [{**card, **shown, "uuid": name, "imageKeys": [name]} for name in pictures]
    section = {"uuid": "first", "name": "Model metrics", "display": True, "deleted": False, "isGenerated": True}
    return {"compareRunCharts": cards, "compareRunSections": [{**section, "isReordered": True}]}


def listen_at(host: str, port: int) -> str:
    """The URL of ``host`` and ``port``. Raises Refusal when the host is not this machine's or the port is taken."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        remedy = f"--port {port % 65535 + 1}, or --host 127.0.0.1 if {host} is not this machine"
        raise Refusal(f"cannot listen on {host}:{port}, {reason}: try {remedy}") from None
    return f"http://{_bracketed(host)}:{port}"


def hosts(host: str, port: int, more: str) -> list[str]:
    """The Host headers to answer to: this machine's, ``host``'s and those of ``more`` (names split by commas).

    MLflow's default would take ``10.*`` and ``192.168.*``, too, which anybody's domain can begin with.

    Raises Refusal for ``*``, and for an address without a name.
    """
    added = [name.strip() for name in more.split(",") if name.strip()]
    if "*" in added:
        raise Refusal("--allowed-hosts '*' lets any web page at this server: name the hosts")
    if host in EVERY and not added:
        raise Refusal(f"--host {host} is no name: give --allowed-hosts those that browsers will call it by")
    known = ["localhost", "127.0.0.1", "[::1]", *([] if host in EVERY else [_bracketed(host)])]
    return list(dict.fromkeys(form for name in [*known, *added] for form in (name, f"{name}:{port}")))


def loopback(host: str) -> bool:
    """Whether only this machine's processes reach ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
