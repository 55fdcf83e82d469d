"""The promises on a world small enough for a test: one command, the same lock twice, the exact blast radius."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow.entities import Run

from pipeline.tracking.connect import connect
from tests.closure import ROOT
from tests.launch import git

pytestmark = pytest.mark.slow


def tiny(params: dict[str, Any]) -> dict[str, Any]:
    """The committed pipeline with two recipes of one backbone, few images and few iterations."""
    params["miniatures"]["imagenet"]["counts"] = ["train=4", "val=2"]
    params["miniatures"]["voc"]["counts"] = ["train=6", "val=15", "held_out=10"]
    params["miniatures"]["sbd"]["counts"] = ["train=30", "val=4", "held_out=10"]
    params["miniatures"]["nyud"] |= {"side": 64, "counts": ["train=3", "val=2", "test=2"]}
    params["miniatures"]["siftflow"] |= {"side": 64, "counts": ["trainval=9", "test=3", "unannotated=2"]}
    params["miniatures"]["pascalcontext"] |= {"side": 64, "counts": ["train=4", "val=2"]}
    params["datasets"]["pascalcontext"]["expect"] = ["train=4", "val=2"]
    params["datasets"]["nyud"]["expect"] = ["trainval=5", "test=2", "train=3", "val=2"]
    params["datasets"]["siftflow"]["expect"] = ["trainval=9", "test=3"]
    params["datasets"]["voc"]["expect"] = ["train=6", "val=15", "seg11valid=10"]
    params["datasets"]["sbd"]["expect"] = ["train=30", "val=4", "validation=4"]
    for group in ("pretrain", "backbones"):
        params[group] = {"vgg16": params[group]["vgg16"]}
    params |= {"fusions": {}, "picks": {}, "validations": {}}
    params["bounds"] = {"voc-seg11valid": params["bounds"]["voc-seg11valid"]}
    params["pretrain"]["vgg16"] |= {"width": 0.0625, "batch": 8, "iterations": 30}
    params["recipes"] = {key: params["recipes"][key] for key in ("voc-fcn32s", "voc-fcn16s")}
    for recipe in params["recipes"].values():
        recipe["solver"] |= {"iterations": 8, "lr": 1.0e-10}  # hardly pretrained nets overflow at higher rates
    return params


def clone(to: Path) -> Path:
    """The working tree as git would commit it, committed in a repository of its own."""
    for name in git(ROOT, "ls-files", "-zco", "--exclude-standard").split("\0"):
        if name and not name.startswith(("eval/", "results/")) and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    (to / "dvc.lock").unlink(missing_ok=True)
    params = tiny(yaml.safe_load((to / "params.yaml").read_text()))
    (to / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    for command in ("init -q", "add -A", "commit -qm tiny"):
        git(to, *command.split())
    return to


def dvc(root: Path, *arguments: str) -> str:
    return module(root, "dvc", *arguments)


def module(root: Path, *arguments: str, **more: str) -> str:
    """What ``python -m arguments`` prints in ``root``, where it must succeed; ``more`` is added to the environment."""
    command, known = [sys.executable, "-m", *arguments], environment() | more
    done = subprocess.run(command, cwd=root, env=known, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(arguments)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_"))}
    return {**kept, "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}", "DVC_NO_ANALYTICS": "1"}


def ran(output: str) -> set[str]:
    """The stages that executed; one restored from DVC's run cache did not."""
    return set(re.findall(r"Running stage '([^']+)'", output))


@pytest.fixture(scope="module")
def clones(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two fresh clones, each run from nothing: stage after stage, and two at a time with MLflow looking on."""
    roots = [clone(tmp_path_factory.mktemp(name)) for name in ("first", "second")]
    with ThreadPoolExecutor() as pool:
        serial = pool.submit(dvc, roots[0], "repro")
        parallel = pool.submit(module, roots[1], "ops.fcn", "run", "--jobs", "2", FCN_TRACKING="live")
    assert "publish" in ran(serial.result())
    assert "[publish] done" in parallel.result()
    return roots[0], roots[1]


def test_two_fresh_clones_give_the_same_lock(clones: tuple[Path, Path]) -> None:
    first, second = ((root / "dvc.lock").read_text() for root in clones)
    assert first == second


def by_stage(root: Path) -> dict[str, Run]:
    """The run of each stage of the pipeline as it is, which nests under the newest parent; there is one of each."""
    client, experiment = connect(root)
    parent = client.search_runs([experiment], "tags.`dvc.lock` != ''", max_results=1)[0]
    mark = parent.data.tags["dvc.lock"][:8]
    runs = client.search_runs([experiment], f"tags.pipelines LIKE '%{mark}%'")
    assert {run.data.tags["mlflow.parentRunId"] for run in runs} == {parent.info.run_id}
    found = {run.data.tags["dvc.stage"]: run for run in runs}
    assert len(found) == len(runs)
    return found


def test_what_was_watched_is_one_run_which_publish_adopts(clones: tuple[Path, Path]) -> None:
    runs = by_stage(clones[1])
    locked = yaml.safe_load((clones[1] / "dvc.lock").read_text())["stages"]
    assert runs.keys() == locked.keys() - {"publish"}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    watched = {stage for stage, run in runs.items() if "live.fingerprint" in run.data.tags}
    assert watched == {stage for stage in runs if stage.startswith(("pretrain@", "train@", "evaluate@"))}
    client, experiment = connect(clones[1])
    assert len(client.search_runs([experiment])) == len(runs) + 1
    for recipe in ("voc-fcn32s", "voc-fcn16s"):
        points = client.get_metric_history(runs[f"train@{recipe}"].info.run_id, "loss")
        assert [point.step for point in points] == list(range(1, 9))
    assert module(clones[1], "ops.fcn", "backfill").startswith("backfilled 0 new runs, 0 completed, 0 adopted, ")


def test_running_again_runs_nothing(clones: tuple[Path, Path]) -> None:
    assert ran(dvc(clones[0], "repro")) == set()


def test_verify_gets_the_lock_again_without_a_cache(clones: tuple[Path, Path]) -> None:
    stages = ["convert@voc", "train@voc-fcn16s", "evaluate@voc-fcn16s"]
    lines = module(clones[0], "ops.fcn", "verify", *stages).splitlines()
    assert [line.split()[:2] for line in lines] == [[stage, "same"] for stage in stages]


def test_a_learning_rate_reruns_its_recipe_and_those_who_start_from_it(clones: tuple[Path, Path]) -> None:
    root = clones[0]
    edit(root, lambda params: params["recipes"]["voc-fcn32s"]["solver"].update(lr=3.0e-10))
    recipes = {f"{stage}@voc-fcn{stride}s" for stage in ("train", "evaluate") for stride in (32, 16)}
    # Whatever the scores are, the report draws the losses
    assert ran(dvc(root, "repro")) == {"splits", *recipes, "report", "publish"}


def test_killed_in_training_and_run_again_by_dvc_it_is_one_run(clones: tuple[Path, Path]) -> None:
    """And of the others each has the run it had: exactly those that ran anew, its recipe's, have new ones."""
    root = clones[1]
    before = by_stage(root)
    edit(root, lambda params: params["recipes"]["voc-fcn16s"]["solver"].update(iterations=200))
    live = {**environment(), "FCN_TRACKING": "live", "FCN_SNAPSHOT_SECONDS": "0.1"}
    killed = subprocess.Popen([sys.executable, "-m", "dvc", "repro", "-q"], cwd=root, env=live, process_group=0)
    while not list(root.glob(".snapshots/train@voc-fcn16s/*/*.safetensors")):
        assert killed.poll() is None
        time.sleep(0.1)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    said = module(root, "dvc", "repro", FCN_TRACKING="live")
    assert "resuming at iteration" in said
    recipe = {"train@voc-fcn16s", "evaluate@voc-fcn16s"}
    assert ran(said) | {"splits"} == recipe | {"splits", "report", "publish"}
    after = by_stage(root)
    fresh = {stage for stage, run in after.items() if run.info.run_id != before[stage].info.run_id}
    assert recipe <= fresh <= recipe | {"splits", "report"}
    client, _ = connect(root)
    points = client.get_metric_history(after["train@voc-fcn16s"].info.run_id, "loss")
    assert [point.step for point in points] == list(range(1, 201))


CONVERTED = {f"convert@{name}" for name in ("voc", "sbd", "nyud", "siftflow", "pascalcontext")}
COMMENTED = {
    "pipeline/metrics/scores.py": {"evaluate@voc-fcn32s", "evaluate@voc-fcn16s", "bounds@voc-seg11valid"},
    "pipeline/datasets/sbd.py": {"convert@sbd"},
    "pipeline/training/feed.py": {"train@voc-fcn32s", "train@voc-fcn16s"},
    "pipeline/published/published.py": {"report"},
    "pipeline/backbones/googlenet.py": set(),
    "README.md": set(),
}
# Of these DVC's word is enough: that they write the same bytes twice the two clones show
TOLD = {
    "pipeline/datasets/shared/hha.py": CONVERTED,
    "pipeline/describe/describe.py": {stage.replace("convert", "describe") for stage in CONVERTED},
}


def written(root: Path) -> dict[str, Any]:
    """What each stage wrote, by dvc.lock; publish's mark tells of the lock itself."""
    locked = yaml.safe_load((root / "dvc.lock").read_text())["stages"]
    return {stage: row.get("outs") for stage, row in locked.items() if stage != "publish"}


def declared(path: str) -> str:
    """What dvc.yaml says of a file: its folder, or a plugin itself."""
    alone = path.count("/") < 2 or path in ("pipeline/datasets/sbd.py", "pipeline/backbones/googlenet.py")
    return path if alone else path.rpartition("/")[0]


def test_a_comment_reruns_exactly_who_depends_on_the_file(clones: tuple[Path, Path]) -> None:
    """Equal bytes come out, so the wave stops there: nobody downstream runs."""
    root = clones[1]
    comments = COMMENTED | TOLD
    before, outs = {path: (root / path).read_text() for path in (*comments, "dvc.lock", ".published")}, written(root)
    for path in comments:
        (root / path).write_text(before[path] + "\n# a comment\n")
    try:
        changed = {
            (path, stage)
            for stage, entries in json.loads(dvc(root, "status", "--json")).items()
            for entry in entries
            for path in (entry.get("changed deps", {}) if isinstance(entry, dict) else {})
        }
        assert changed == {(declared(path), stage) for path, stages in comments.items() for stage in stages}
        for path in TOLD:
            (root / path).write_text(before[path])
        assert ran(dvc(root, "repro")) == set().union(*COMMENTED.values())
        assert written(root) == outs, "a stage that would run for another's bytes hides among those that a comment runs"
    finally:
        for path, text in before.items():  # with the outputs, which are the same, this is where it was
            (root / path).write_text(text)


def edit(root: Path, change: Callable[[dict[str, Any]], object]) -> None:
    params = yaml.safe_load((root / "params.yaml").read_text())
    change(params)
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
