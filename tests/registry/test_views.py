"""Every saved view asks MLflow a question that it understands, finds the runs that it names, and is documented."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.registry.ui import TAG, VIEWS, save
from pipeline.tracking.connect import connect
from tests.closure import ROOT

FOUND = {
    "ladder": {"evaluate@voc-fcn8s"},
    "curves": {"train@voc-fcn8s"},
    "evaluations": {"evaluate@voc-fcn8s", "evaluate@voc-fcn32s-scores"},
    "pipelines": {"abc+def"},
    "unfinished": {"train@voc-fcn32s-jitter"},
}


def test_views_find_what_they_name_and_saving_them_again_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    client, experiment = connect(tmp_path)
    for stage in ("train@voc-fcn8s", "train@voc-fcn32s-jitter", "evaluate@voc-fcn8s", "evaluate@voc-fcn32s-scores"):
        tags = {"dvc.stage": stage, "dvc.key": stage.partition("@")[2]}
        run = client.create_run(experiment, tags=tags, run_name=stage)
        client.set_terminated(run.info.run_id, "KILLED" if "jitter" in stage else "FINISHED")
        if stage == "train@voc-fcn8s":
            client.log_text(run.info.run_id, "pixels", "images/training 00-a+step+0+1+x.png")
            client.set_tag(run.info.run_id, "mlflow.loggedImages", "True")
    tags = {"dvc.stage": "evaluate@voc-fcn8s", "dvc.key": "voc-fcn8s", "superseded": "another"}
    client.set_terminated(client.create_run(experiment, tags=tags, run_name="old").info.run_id)
    parent = client.create_run(experiment, tags={"dvc.lock": "def"}, run_name="abc+def")
    client.set_terminated(parent.info.run_id)

    save(client, experiment)
    saved = dict(client.get_experiment(experiment).tags)
    assert {view.key for view in VIEWS} == FOUND.keys()
    for view in VIEWS:
        kept = json.loads(saved[TAG + view.key])
        assert kept["name"] == view.name
        state = json.loads(kept["state"])
        order = state["orderByKey"].replace("`Created`", "start_time")
        found = client.search_runs([experiment], state["searchFilter"], order_by=[f"{order} DESC"])
        assert {run.info.run_name for run in found} == FOUND[view.key], view.key

    cards = json.loads(json.loads(saved[TAG + "curves"])["state"])["compareRunCharts"]
    assert [(card["uuid"], card.get("scaleType")) for card in cards[:2]] == [("loss", "log"), ("lr_log10", "linear")]
    assert [(card["imageKeys"], card["showRunParams"]) for card in cards[2:]] == [(["training 00-a"], False)]

    monkeypatch.setattr(client, "set_experiment_tag", lambda *_: pytest.fail("written again"))
    save(client, experiment)


def test_views_are_documented_as_they_are() -> None:
    page = (ROOT / "docs/mlflow.md").read_text()
    for view in VIEWS:
        assert f"{view.name}\n\n    {view.search}\n" in page, view.key
