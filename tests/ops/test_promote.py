"""``fcn gate``, ``promote``, ``rollback`` and ``history``: only what is no worse, and proved, becomes champion."""

import hashlib
import json
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from pipeline import proof
from pipeline.core.types import LabelSpec
from pipeline.proof import Proof
from pipeline.registry.champion import history
from pipeline.spec import NetSpec
from pipeline.tracking.connect import connect
from pipeline.weights import checkpoint
from stages.shared import dvc
from tests import launch
from tests.launch import git

DVC = """
stages:
  train: {foreach: "${recipes}", do: {cmd: "python -m stages.train ${key}"}}
  evaluate: {foreach: "${recipes}", do: {cmd: "python -m stages.evaluate ${key} voc/seg11valid"}}
"""
GATE = """
defaults: {floor: 0.1, tolerance: 0.005, class_drop: 0.1, heads: [semantic], proofs: [train, evaluate]}
miniature: {voc: {floor: 0.3}}
"""
SPEC = NetSpec(
    backbone="vgg16",
    width=0.125,
    crop=96,
    padding=36,
    mean=(122.0, 117.0, 104.0),
    heads={"semantic": LabelSpec(classes=("cat", "dog"), palette=((0, 0, 0), (128, 0, 0)))},
)
RECIPES = ("voc-fcn8s", "voc-fcn16s")


@pytest.fixture
def world(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clean clone in which one recipe was trained, evaluated, verified and published."""
    for name in ("MLFLOW_TRACKING_URI", "CI", "GITHUB_ACTOR", "GITLAB_USER_LOGIN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FCN_USER", "ada")
    monkeypatch.chdir(tmp_path)
    shutil.copy(tables, tmp_path / "mlflow.db")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/gate.yaml").write_text(GATE)
    (tmp_path / "dvc.yaml").write_text(DVC)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"recipes": {key: {} for key in RECIPES}}))
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {}}))
    (tmp_path / ".gitignore").write_text("/mlflow.db*\n/mlartifacts/\n/.verified/\n/gate/\n/runs/\n")
    train("voc-fcn8s", 0.5)
    for command in ("init -q", "add .", "commit -q -m a"):
        git(tmp_path, *command.split())
    return tmp_path


def train(recipe: str, mean_iu: float, *, verified: bool = True, published: bool = True) -> None:
    """Leave what the two stages leave, in dvc.lock too; other weights for another score."""
    weights, metrics = f"runs/{recipe}/model.safetensors", f"eval/{recipe}/metrics.json"
    checkpoint.save(Path(weights), {"score": torch.full((1,), mean_iu)}, SPEC)
    scores = {"mean_iu": mean_iu, "iu": {"cat": mean_iu, "dog": mean_iu}, "absent": []}
    Path(metrics).parent.mkdir(parents=True, exist_ok=True)
    Path(metrics).write_text(json.dumps({"semantic": scores, "images": 2, "ids_sha256": "abc", "scale": "miniature"}))
    trained = {"cmd": "train", "params": {"params.yaml": {"recipes.lr": mean_iu}}, "outs": [out(weights)]}
    scored = {"cmd": "evaluate voc/seg11valid", "deps": [out(weights)], "outs": [out(metrics)]}
    entries = {f"train@{recipe}": trained, f"evaluate@{recipe}": scored}
    relock(entries)
    known = dvc.entries(Path.cwd())
    for entry in (known[name] for name in entries if verified):
        versions = {"torch": "2", "python": "3", "processor": "cpu"}
        proof.write(Path.cwd(), Proof(stage=entry.stage, inputs=entry.inputs, outputs=entry.outputs, **versions))
    if published:
        client, experiment = connect(Path.cwd())
        entry = known[f"train@{recipe}"]
        run = client.create_run(experiment, tags={"dvc.stage": entry.stage, "dvc.inputs": entry.inputs})
        client.set_terminated(run.info.run_id)


def out(path: str) -> dict[str, str]:
    return {"path": path, "hash": "md5", "md5": hashlib.md5(Path(path).read_bytes()).hexdigest()}


def relock(entries: dict[str, Any]) -> None:
    lock = yaml.safe_load(Path("dvc.lock").read_text())
    lock["stages"] |= entries
    Path("dvc.lock").write_text(yaml.safe_dump(lock))


fcn = partial(launch.fcn, code=0)


def champion(root: Path) -> str:
    return history(connect(root)[0], "fcn-voc").champion


def test_the_gate_shows_its_checks_and_leaves_the_same_bytes_for_the_same_inputs(world: Path) -> None:
    done = fcn("gate", "voc-fcn8s", "--first")
    cells = [[cell.strip() for cell in line.split("|")[1:3]] for line in done.stdout.splitlines()[2:-1]]
    names = ("semantic/floor", "ids_sha256", "scale", "proof of train", "proof of evaluate")
    assert cells == [[name, "pass"] for name in names]
    assert done.stdout.splitlines()[-1] == "voc-fcn8s passes as fcn-voc, beside no champion"
    before = (world / "gate/voc-fcn8s.json").read_bytes()
    assert fcn("gate", "voc-fcn8s").stdout == done.stdout
    assert (world / "gate/voc-fcn8s.json").read_bytes() == before
    assert json.loads(before)["passed"] is True
    assert str(world).encode() not in before
    rules = world / "conf/gate.yaml"
    rules.write_text(re.sub(r"floor: [\d.]+", "floor: 0.6", rules.read_text()))
    done = fcn("gate", "voc-fcn8s", code=1)
    assert "mean IU 0.500, not the floor of 0.600" in done.stdout
    assert done.stdout.splitlines()[-1] == "voc-fcn8s FAILS as fcn-voc, beside no champion"


def test_a_registry_that_does_not_answer_is_not_taken_for_an_empty_one(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    for command in (("gate", "voc-fcn8s"), ("promote", "voc-fcn8s"), ("rollback", "voc"), ("history", "voc")):
        assert "MLflow at http://127.0.0.1:9 does not answer" in fcn(*command, code=1).stderr
    fcn("gate", "voc-fcn8s", "--first")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    (world / "mlflow.db").unlink()
    assert fcn("gate", "voc-fcn8s", code=1).stderr.startswith("Error: no registry to ask: set MLFLOW_TRACKING_URI")
    assert not (world / "mlflow.db").exists()


def test_promote_rollback_and_history_of_two_recipes_of_a_data_set(world: Path) -> None:
    assert fcn("history", "voc", code=1).stderr == "Error: the registry has no fcn-voc: fcn promote makes it\n"
    assert fcn("promote", "voc-fcn8s").stdout.splitlines()[-1] == "fcn-voc version 1 is champion, the first"
    client, _ = connect(world)
    version = client.get_model_version_by_alias("fcn-voc", "champion")
    entry = dvc.entries(world)["train@voc-fcn8s"]
    wanted = {"recipe": "voc-fcn8s", "scale": "miniature", "semantic/mean_iu": "0.5"}
    wanted |= {"dvc.stage": "train@voc-fcn8s", "dvc.inputs": entry.inputs, "dvc.outputs": entry.outputs}
    wanted |= {"weights.md5": entry.outs["runs/voc-fcn8s/model.safetensors"]}
    wanted |= {"git.commit": git(world, "rev-parse", "HEAD"), "git.dirty": "false"}
    assert wanted.items() <= version.tags.items()
    assert client.get_run(version.run_id).data.tags["dvc.inputs"] == entry.inputs
    source = Path(version.source.removeprefix("file://"))
    assert json.loads((source / "metrics.json").read_bytes())["semantic"]["mean_iu"] == 0.5
    assert json.loads((source / "gate.json").read_bytes())["passed"] is True
    weights = Path("runs/voc-fcn8s/model.safetensors").read_bytes()
    assert (source / "artifacts/model.safetensors").read_bytes() == weights

    train("voc-fcn16s", 0.51)
    assert fcn("promote", "voc-fcn16s").stdout.splitlines()[-1] == "fcn-voc version 2 is champion, after version 1"
    assert fcn("promote", "voc-fcn16s").stdout.splitlines()[-1] == "fcn-voc version 2 is champion, as before"
    done = fcn("rollback", "voc", "--why", "blind to dogs")
    assert done.stdout == "fcn-voc version 1 is champion, version 2 the one before\n"
    page = fcn("history", "fcn-voc").stdout
    assert page == fcn("history", "voc").stdout
    rows = [line.split()[1:6:2] for line in page.splitlines()[2:4]]
    assert rows == [["1", "champion", "voc-fcn8s"], ["2", "previous", "voc-fcn16s"]]
    assert "blind to dogs" in page


def test_a_worse_candidate_moves_nothing_whatever_an_old_gate_said_and_force_says_why(world: Path) -> None:
    fcn("promote", "voc-fcn8s")
    train("voc-fcn8s", 0.51)
    fcn("gate", "voc-fcn8s")
    train("voc-fcn8s", 0.48)  # two points lower
    assert json.loads((world / "gate/voc-fcn8s.json").read_bytes())["passed"] is True
    done = fcn("promote", "voc-fcn8s", code=1)
    assert "mean IU 0.480 beside the champion's 0.500, not within the tolerance of 0.005" in done.stdout
    remedy = "it stays where it is; --force REASON promotes it nevertheless"
    assert done.stderr == f"Error: voc-fcn8s fails the gate: {remedy}\n"
    assert champion(world) == "1"
    fcn("promote", "voc-fcn8s", "--force", "smaller by half")
    assert champion(world) == "2"
    assert "smaller by half" in fcn("history", "voc").stdout


def test_what_is_not_proved_or_not_dvc_locks_is_refused(world: Path) -> None:
    train("voc-fcn8s", 0.6, verified=False)
    said = fcn("promote", "voc-fcn8s", code=1).stdout
    assert "the proof of train@voc-fcn8s is of other inputs or outputs than dvc.lock's: fcn verify" in said
    shutil.rmtree(world / ".verified")
    said = fcn("gate", "voc-fcn8s", code=1).stdout
    assert "nobody ran evaluate@voc-fcn8s again: fcn verify evaluate@voc-fcn8s" in said
    train("voc-fcn8s", 0.5, published=False)
    said = fcn("promote", "voc-fcn9s", code=1).stderr
    assert said == "Error: dvc.lock has no train@voc-fcn9s: did you mean 'voc-fcn8s'?\n"
    weights = "runs/voc-fcn8s/model.safetensors"
    with Path(weights).open("ab") as file:
        file.write(b"x")
    fcn("gate", "voc-fcn8s")
    said = fcn("promote", "voc-fcn8s", code=1).stderr
    assert said.startswith(f"Error: {weights} is not what dvc.lock says train@voc-fcn8s wrote: dvc")
    relock({"train@voc-fcn8s": {"cmd": "x", "outs": [out(weights)]}})
    said = fcn("gate", "voc-fcn8s", code=1).stderr
    remedy = "dvc repro evaluate@voc-fcn8s"
    assert said == f"Error: evaluate@voc-fcn8s scored other weights than train@voc-fcn8s wrote: {remedy}\n"
    Path("eval/voc-fcn8s/metrics.json").write_text("{}")
    assert "eval/voc-fcn8s/metrics.json is not what dvc.lock says" in fcn("gate", "voc-fcn8s", code=1).stderr
    assert champion(world) == ""


def test_ci_promotes_commits_alone_and_nobody_what_has_no_run_or_no_name(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    Path("params.yaml").write_text(Path("params.yaml").read_text() + "# tried\n")
    said = fcn("promote", "voc-fcn8s", code=1).stderr
    assert said == "Error: the work tree is not as committed (M params.yaml): CI promotes commits alone\n"
    monkeypatch.setenv("CI", "false")
    fcn("promote", "voc-fcn8s")
    assert connect(world)[0].get_model_version("fcn-voc", "1").tags["git.dirty"] == "true"
    train("voc-fcn8s", 0.7, published=False)
    said = fcn("promote", "voc-fcn8s", code=1).stderr
    assert said == "Error: MLflow has no run of train@voc-fcn8s as dvc.lock has it: fcn backfill makes it\n"
    monkeypatch.delenv("FCN_USER")
    for name in ("GLOBAL", "SYSTEM"):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", "/dev/null")
    assert "nobody answers for this" in fcn("promote", "voc-fcn8s", code=1).stderr
