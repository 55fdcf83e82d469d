"""A champion is a whole version, whoever is killed; who moved it is kept; saved views find what they name."""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from pipeline.core.types import Refusal
from pipeline.registry.champion import Champion, champion, history, page, rollback
from pipeline.registry.ui import TAG, VIEWS, save
from pipeline.tracking.connect import connect, connect_existing
from tests.closure import ROOT
from tests.registry import registered
from tests.registry.registered import NAME, aliases, judged, promote, whole
from tests.tracking.servers import mlflow_server


@pytest.fixture
def store(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[MlflowClient, str]:
    """A client and a run to promote."""
    shutil.copy(tables, tmp_path / "mlflow.db")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    client, experiment = connect(tmp_path)
    return client, registered.run(client, experiment)


def test_a_promotion_is_a_whole_version_that_says_where_it_comes_from(store: tuple[MlflowClient, str]) -> None:
    client, run = store
    assert champion(client, NAME) is None
    number, move = promote(client, run, "first")
    assert (number, aliases(client)) == ("1", ("1", ""))
    assert move
    assert (move.kind, move.before, move.after, move.who, move.when[-6:]) == ("promotion", "", "1", "ada", "+00:00")
    assert whole(client, "1")
    version = client.get_model_version_by_alias(NAME, "champion")
    assert version.run_id == run
    assert version.tags["weights.md5"] == hashlib.md5(b"first").hexdigest()
    assert len(move.gate) == 64
    assert "| semantic/floor | pass    | mean IU 0.5 |" in version.description.splitlines()
    assert champion(client, NAME) == Champion(version="1", metrics=judged(0.5)["metrics"])


def test_the_same_weights_make_no_second_version_but_move_the_alias(store: tuple[MlflowClient, str]) -> None:
    client, run = store
    promote(client, run, "first")
    promote(client, run, "second")
    assert aliases(client) == ("2", "1")
    number, move = promote(client, run, "first")
    assert (number, move is not None, aliases(client)) == ("1", True, ("1", "2"))
    assert promote(client, run, "first") == ("1", None)
    assert len(history(client, NAME).versions) == 2
    assert promote(client, run, "first", gate=judged(0.6, "1"))[0] == "3", "judged by another evaluation"


def test_what_the_gate_judged_beside_another_champion_is_refused(store: tuple[MlflowClient, str]) -> None:
    client, run = store
    promote(client, run, "first")
    promote(client, run, "second")
    with pytest.raises(Refusal, match="version 2 became champion while the gate judged: promote again"):
        promote(client, run, "third", gate=judged(0.5, "1"))
    assert aliases(client) == ("2", "1")
    assert promote(client, run, "third")[0] == "3", "what was uploaded stands"


def test_a_rollback_exchanges_the_two_and_history_lists_every_version_and_move(store: tuple[MlflowClient, str]) -> None:
    client, run = store
    with pytest.raises(Refusal, match="no version before its champion"):
        rollback(client, NAME, who="ada", why="")
    promote(client, run, "first", **{"git.commit": "0123456789", "git.dirty": "true"})
    with pytest.raises(Refusal, match="no version before its champion"):
        rollback(client, NAME, who="ada", why="")
    promote(client, run, "second", forced="shown", gate=judged(0.1, "1", passed=False))
    rollback(client, NAME, who="grace", why="a | b\nc")
    assert aliases(client) == ("1", "2")
    versions, moves = (part.splitlines()[2:] for part in page(history(client, NAME)).split("\n\n"))
    assert [[cell.strip() for cell in row.split("|")[1:7]] for row in versions] == [
        ["1", "champion", "voc-fcn8s", "semantic 0.500", "", "0123456+"],
        ["2", "previous", "voc-fcn8s", "semantic 0.500", "shown", ""],
    ]
    rows = [[cell.strip() for cell in row.split("|")[1:8]] for row in moves]
    assert [row[:4] + row[6:] for row in rows] == [
        ["promotion", "none", "1", "ada", ""],
        ["promotion", "1", "2", "ada", "shown"],
        ["rollback", "2", "1", "grace", "a / b c"],
    ]
    rollback(client, NAME, who="grace", why="they are not")
    assert aliases(client) == ("2", "1")


WRITES = (
    *("log_artifacts", "create_registered_model", "create_model_version", "set_model_version_tag"),
    "set_registered_model_alias",
)


@pytest.mark.parametrize("at", WRITES)
def test_killed_before_any_request_the_champion_stands_and_the_next_move_starts_from_it(
    store: tuple[MlflowClient, str], monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    client, run = store
    promote(client, run, "first")
    promote(client, run, "second")
    with monkeypatch.context() as dying:
        dying.setattr(client, at, lambda *_, **__: sys.exit("killed"))
        with pytest.raises(SystemExit):
            promote(client, run, "third")
    assert aliases(client) == ("2", "1")
    assert all(whole(client, str(version.version)) for version in history(client, NAME).versions)
    rollback(client, NAME, who="ada", why="")
    assert aliases(client) == ("1", "2"), "not to what never was champion"
    number, _ = promote(client, run, "third")
    assert (number, aliases(client)) == ("3", ("3", "1"))
    assert len(history(client, NAME).versions) == 3
    rollback(client, NAME, who="ada", why="")
    assert aliases(client) == ("1", "3")


def test_killed_between_the_two_aliases_a_rollback_goes_where_the_tags_say(
    store: tuple[MlflowClient, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, run = store
    promote(client, run, "first")
    promote(client, run, "second")
    set_alias = client.set_registered_model_alias

    def dies(name: str, alias: str, version: str) -> None:
        if alias != "champion":
            raise SystemExit
        set_alias(name, alias, version)

    with monkeypatch.context() as dying:
        dying.setattr(client, "set_registered_model_alias", dies)
        with pytest.raises(SystemExit):
            promote(client, run, "third")
    assert aliases(client) == ("3", "1")
    rollback(client, NAME, who="ada", why="")
    assert aliases(client) == ("2", "3")


def test_a_champion_whose_metrics_were_altered_or_that_came_by_hand(store: tuple[MlflowClient, str]) -> None:
    client, run = store
    promote(client, run, "first")
    folder = Path(client.get_model_version(NAME, "1").source.removeprefix("file://"))
    (folder / "metrics.json").write_text('{"semantic": {"mean_iu": 0.0}}\n')
    with pytest.raises(Refusal, match=r"metrics.json of fcn-voc version 1 is not what was promoted"):
        champion(client, NAME)
    client.create_model_version(NAME, folder.as_uri())
    client.set_registered_model_alias(NAME, "champion", "2")
    assert champion(client, NAME) == Champion(version="2", metrics={})
    promote(client, run, "third")
    assert (aliases(client), history(client, NAME).previous) == (("3", "2"), "2"), "it is what the next move finds"


@pytest.mark.slow
def test_a_team_promotes_and_rolls_back_through_a_server(
    tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's own server, with artefacts through it, as a team runs it."""
    shutil.copy(tables, tmp_path / "mlflow.db")
    with mlflow_server(f"sqlite:///{tmp_path / 'mlflow.db'}", str(tmp_path / "artifacts"), tmp_path) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        client, _ = connect_existing(tmp_path)
        run = registered.run(client, client.create_experiment("through the server"))
        promote(client, run, "first")
        assert whole(client, "1")
        assert champion(client, NAME) == Champion(version="1", metrics=judged(0.5)["metrics"])
        promote(client, run, "second")
        rollback(client, NAME, who="ada", why="too large")
        assert aliases(client) == ("1", "2")
        assert [move.kind for move in history(client, NAME).moves] == ["promotion", "promotion", "rollback"]


FOUND = {
    "ladder": {"evaluate@voc-fcn8s"},
    "curves": {"train@voc-fcn8s"},
    "evaluations": {"evaluate@voc-fcn8s", "evaluate@voc-fcn32s-scores"},
    "pipelines": {"abc+def"},
    "unfinished": {"train@voc-fcn32s-jitter"},
}


def test_views_find_what_they_name_and_are_saved_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    curves = [("validation/semantic/mean_iu", "linear"), ("loss", "log"), ("lr_log10", "linear")]
    assert [(card["uuid"], card.get("scaleType")) for card in cards[:3]] == curves
    assert [(card["imageKeys"], card["showRunParams"]) for card in cards[3:]] == [(["training 00-a"], False)]

    monkeypatch.setattr(client, "set_experiment_tag", lambda *_: pytest.fail("written again"))
    save(client, experiment)


def test_views_are_documented_as_they_are() -> None:
    page = (ROOT / "docs/mlflow.md").read_text()
    for view in VIEWS:
        assert f"{view.name}\n\n    {view.search}\n" in page, view.key
