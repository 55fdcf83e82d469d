"""A champion is a whole version, whoever is killed or comes at once; who moved it, when and why is kept."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.types import Refusal
from pipeline.tracking import ledger, registry, version
from pipeline.tracking.connect import connect
from pipeline.tracking.who import who
from tests.tracking import registered
from tests.tracking.registered import NAME, aliases, judged, promote, whole

# isort: split
from mlflow import MlflowClient

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[MlflowClient, str]:
    """A client and a run to promote."""
    shutil.copy(tables, tmp_path / "mlflow.db")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    client, experiment = connect(tmp_path)
    return client, registered.run(client, experiment)


def test_a_promotion_is_a_whole_version_that_says_where_it_comes_from(store: tuple[MlflowClient, str]) -> None:
    client, run = store
    assert registry.champion(client, NAME) is None
    done = promote(client, run, "first")
    assert (done.version, done.made, aliases(client)) == ("1", True, ("1", ""))
    assert whole(client, "1")
    version = client.get_model_version_by_alias(NAME, "champion")
    assert version.run_id == run
    assert version.tags["weights.md5"] == hashlib.md5(b"first").hexdigest()
    assert version.tags["promoted.by"] == "ada"
    assert version.tags["promoted.at"].endswith("+00:00")
    assert len(version.tags["gate.sha256"]) == 64
    assert "| semantic/floor | pass    | mean IU 0.5 |" in version.description.splitlines()
    champion = registry.champion(client, NAME)
    assert champion is not None
    assert champion.metrics == judged(0.5)["metrics"]


def test_a_champion_is_loaded_by_its_alias(store: tuple[MlflowClient, str], monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    client, run = store
    promote(client, run, "first")
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", client.tracking_uri)
    with warnings.catch_warnings(action="ignore"):  # MLflow warns of its own type hints
        assert mlflow.pyfunc.load_model(f"models:/{NAME}@champion").predict(["a"]) == ["a"]


def test_the_same_weights_make_no_second_version_but_move_the_alias(store: tuple[MlflowClient, str]) -> None:
    client, run = store
    promote(client, run, "first")
    promote(client, run, "second")
    assert aliases(client) == ("2", "1")
    done = promote(client, run, "first", **{"promoted.by": "grace"})
    assert (done.version, done.made, aliases(client)) == ("1", False, ("1", "2"))
    assert client.get_model_version(NAME, "1").tags["promoted.by"] == "grace"
    done = promote(client, run, "first")
    assert (done.move, aliases(client)) == (None, ("1", "2"))
    assert len(registry.history(client, NAME).versions) == 2
    done = promote(client, run, "first", gate=judged(0.6, "1"))
    assert (done.version, done.made) == ("3", True), "judged by another evaluation"


def test_a_shut_gate_moves_nothing_and_one_that_was_forced_says_why(store: tuple[MlflowClient, str]) -> None:
    client, run = store
    promote(client, run, "first")
    with pytest.raises(Refusal, match=r"the gate of fcn-voc is shut.*--force REASON"):
        promote(client, run, "worse", gate=judged(0.1, "1", passed=False))
    assert aliases(client) == ("1", "")
    assert len(registry.history(client, NAME).versions) == 1
    promote(client, run, "worse", gate=judged(0.1, "1", passed=False), forced="labels were mended")
    version = client.get_model_version(NAME, "2")
    assert version.tags["forced"] == "labels were mended"
    assert version.description.startswith("Promoted past the gate: labels were mended.\n")
    assert [move.why for move in registry.history(client, NAME).moves] == ["", "labels were mended"]


def test_what_the_gate_judged_beside_another_champion_is_refused(store: tuple[MlflowClient, str]) -> None:
    client, run = store
    promote(client, run, "first")
    promote(client, run, "second")
    with pytest.raises(Refusal, match="version 2 became champion while the gate judged: promote again"):
        promote(client, run, "third", gate=judged(0.5, "1"))
    assert aliases(client) == ("2", "1")
    assert promote(client, run, "third").version == "3", "what was uploaded stands"


def test_a_rollback_exchanges_the_two_and_both_say_who_when_and_why(store: tuple[MlflowClient, str]) -> None:
    client, run = store
    with pytest.raises(Refusal, match="the registry has no fcn-voc"):
        registry.rollback(client, NAME, who="ada", why="")
    promote(client, run, "first")
    with pytest.raises(Refusal, match="no version before its champion"):
        registry.rollback(client, NAME, who="ada", why="")
    promote(client, run, "second")
    registry.rollback(client, NAME, who="grace", why="cats are dogs")
    assert aliases(client) == ("1", "2")
    left, back = (client.get_model_version(NAME, number).tags for number in ("2", "1"))
    assert (left["rolled_back.by"], left["rolled_back.why"]) == ("grace", "cats are dogs")
    assert (back["restored.by"], back["restored.why"]) == ("grace", "cats are dogs")
    assert left["rolled_back.at"] == back["restored.at"]
    registry.rollback(client, NAME, who="grace", why="they are not")
    assert aliases(client) == ("2", "1")


def test_history_lists_every_version_and_every_move(store: tuple[MlflowClient, str]) -> None:
    client, run = store
    promote(client, run, "first", **{"git.commit": "0123456789", "git.dirty": "true"})
    promote(client, run, "second", forced="shown", gate=judged(0.1, "1", passed=False))
    registry.rollback(client, NAME, who="grace", why="a | b\nc")
    page = ledger.page(registry.history(client, NAME))
    versions, moves = (part.splitlines() for part in page.split("\n\n"))
    assert [[cell.strip() for cell in row.split("|")[1:5]] for row in versions[2:]] == [
        ["1", "champion", "voc-fcn8s", "semantic 0.500"],
        ["2", "previous", "voc-fcn8s", "semantic 0.500"],
    ]
    assert "0123456+" in versions[2]
    assert "forced " in versions[3]
    rows = [[cell.strip() for cell in row.split("|")] for row in moves[2:]]
    assert [row[1:5] for row in rows] == [
        ["promotion", "none", "1", "ada"],
        ["promotion", "1", "2", "ada"],
        ["rollback", "2", "1", "grace"],
    ]
    assert [row[7] for row in rows] == ["", "shown", "a / b c"]


def test_a_champion_whose_metrics_were_altered_or_that_came_by_hand(store: tuple[MlflowClient, str]) -> None:
    client, run = store
    promote(client, run, "first")
    folder = Path(client.get_model_version(NAME, "1").source.removeprefix("file://"))
    (folder / "metrics.json").write_text('{"semantic": {"mean_iu": 0.0}}\n')
    with pytest.raises(Refusal, match=r"metrics.json of fcn-voc version 1 is not what was promoted"):
        registry.champion(client, NAME)
    client.create_model_version(NAME, folder.as_uri())
    client.set_registered_model_alias(NAME, "champion", "2")
    champion = registry.champion(client, NAME)
    assert champion is not None
    assert (champion.version, champion.metrics) == ("2", {})


def test_an_upload_that_fails_leaves_neither_version_nor_model(
    store: tuple[MlflowClient, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, run = store

    def full(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(client, "log_model_artifacts", full)
    with pytest.raises(OSError, match="No space left"):
        promote(client, run, "first")
    assert not registry.history(client, NAME).versions
    assert not client.search_logged_models([client.get_run(run).info.experiment_id])


def test_what_a_killed_upload_left_goes_after_a_day(
    store: tuple[MlflowClient, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, run = store
    experiment = client.get_run(run).info.experiment_id
    left = client.create_logged_model(experiment, NAME, tags={version.NAME: NAME})
    promote(client, run, "first")
    assert left.model_id in {model.model_id for model in client.search_logged_models([experiment])}, "perhaps it runs"
    monkeypatch.setattr(version, "STALE", -1)
    promote(client, run, "second")
    models = client.search_logged_models([experiment])
    assert len(models) == 2
    assert left.model_id not in {model.model_id for model in models}


def test_an_upload_that_was_whole_before_the_kill_is_not_sent_again(
    store: tuple[MlflowClient, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, run = store
    with monkeypatch.context() as dying:
        dying.setattr(client, "create_model_version", lambda *_, **__: sys.exit("killed"))
        with pytest.raises(SystemExit):
            promote(client, run, "first")
    monkeypatch.setattr(client, "log_model_artifacts", lambda *_: pytest.fail("sent again"))
    assert promote(client, run, "first").version == "1"
    assert whole(client, "1")


def test_a_registry_that_is_not_there_is_not_taken_for_an_empty_one(
    store: tuple[MlflowClient, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Refusal, match="no registry to ask: set MLFLOW_TRACKING_URI"):
        registry.ask(tmp_path / "elsewhere")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    dead = MlflowClient("http://127.0.0.1:9")
    with pytest.raises(Refusal, match=r"MLflow at http://127.0.0.1:9 failed .*: run it again"):
        registry.champion(dead, NAME)


def test_a_run_is_found_by_stage_and_inputs_or_refused(store: tuple[MlflowClient, str]) -> None:
    client, run = store
    experiment = client.get_run(run).info.experiment_id
    assert registry.run(client, experiment, "train@voc-fcn8s", "i1").info.run_id == run
    with pytest.raises(Refusal, match=r"no run of train@voc-fcn8s as dvc.lock has it: fcn backfill"):
        registry.run(client, experiment, "train@voc-fcn8s", "i2")


def test_somebody_answers_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert who(tmp_path, {"FCN_USER": "ada", "GITHUB_ACTOR": "bot"}) == "ada"
    assert who(tmp_path, {"GITHUB_ACTOR": "bot"}) == "bot"
    for name in ("GLOBAL", "SYSTEM"):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", os.devnull)
    with pytest.raises(Refusal, match="nobody answers for this: set FCN_USER"):
        who(tmp_path, {})
    subprocess.run(["git", "-C", str(tmp_path), "init", "-q"], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "config", "user.name", "Ada L."], check=True)
    assert who(tmp_path, {}) == "Ada L."


def test_processes_that_are_killed_anywhere_or_meet_leave_a_whole_champion_and_the_one_before(
    store: tuple[MlflowClient, str], tmp_path: Path
) -> None:
    client, run = store
    promote(client, run, "first")
    command = [sys.executable, "-m", "tests.tracking.promoting", str(tmp_path), run]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    seen = [json.loads(line) for line in done.stdout.splitlines()]
    killed = [look for look in seen if look["after"] == "kill"]
    assert len(killed) >= 9, "in the place of every request that writes"
    before = "1"
    for look, again in zip(killed, [look for look in seen if look["after"] == "again"], strict=True):
        mine = hashlib.md5(f"killed at {look['at']}".encode()).hexdigest()
        assert look["champion"] in look["whole"]
        assert set(look["weights"]) == set(look["whole"]), "no version is made of half an upload"
        assert look["champion"] == before or look["weights"][look["champion"]] == mine
        assert again["champion"] == again["version"]
        assert again["weights"][again["champion"]] == mine
        assert again["previous"] == before
        assert [*again["weights"].values()].count(mine) == 1
        before = again["champion"]
    for look in (look for look in seen if look["after"] == "meeting"):
        assert look["codes"] == [0] * len(look["at"])
        made = [hashlib.md5(weights.encode()).hexdigest() for weights in look["at"]]
        assert set(look["weights"]) == set(look["whole"])
        assert len(set(look["weights"].values())) == len(look["weights"]), "the same weights are one version"
        assert look["weights"][look["champion"]] in made
        assert look["previous"] == look["moved"][-2]
        assert look["champion"] == look["moved"][-1]
