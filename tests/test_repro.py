"""The promises on a world small enough for a test: one command, the same lock twice, the exact blast radius."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.closure import ROOT

pytestmark = pytest.mark.slow


def tiny(params: dict[str, Any]) -> dict[str, Any]:
    """The committed pipeline with two recipes of one backbone, few images and few iterations."""
    params["miniatures"]["imagenet"]["counts"] = ["train=4", "val=2"]
    params["miniatures"]["voc"]["counts"] = ["train=6", "val=15", "held_out=10"]
    params["miniatures"]["sbd"]["counts"] = ["train=30", "val=4", "held_out=10"]
    params["miniatures"]["nyud"] |= {"side": 64, "counts": ["train=3", "val=2", "test=2"]}
    params["miniatures"]["siftflow"] |= {"side": 64, "counts": ["trainval=9", "test=3", "unannotated=2"]}
    params["datasets"]["nyud"]["expect"] = ["trainval=5", "test=2", "train=3", "val=2"]
    params["datasets"]["siftflow"]["expect"] = ["trainval=9", "test=3"]
    params["datasets"]["voc"]["expect"] = ["train=6", "val=15", "seg11valid=10"]
    params["datasets"]["sbd"]["expect"] = ["train=30", "val=4"]
    for group in ("pretrain", "backbones"):
        params[group] = {"vgg16": params[group]["vgg16"]}
    params["fusions"] = {}
    params["bounds"] = {"voc-seg11valid": params["bounds"]["voc-seg11valid"]}
    params["pretrain"]["vgg16"] |= {"width": 0.0625, "batch": 8, "iterations": 30}
    params["recipes"] = {key: params["recipes"][key] for key in ("voc-fcn32s", "voc-fcn16s")}
    for recipe in params["recipes"].values():
        recipe["solver"] |= {"iterations": 8, "lr": 1.0e-10}  # hardly pretrained nets overflow at higher rates
    return params


def clone(to: Path) -> Path:
    """The working tree as git would commit it, committed in a repository of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "-zco", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().split("\0"):
        if name and not name.startswith(("eval/", "results/")) and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    (to / "dvc.lock").unlink(missing_ok=True)
    params = tiny(yaml.safe_load((to / "params.yaml").read_text()))
    (to / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    for command in (["init", "-qb", "main"], ["add", "-A"], ["commit", "-qm", "tiny"]):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@localhost", *command], cwd=to, check=True)
    return to


def dvc(root: Path, *arguments: str) -> str:
    return module(root, "dvc", *arguments)


def module(root: Path, *arguments: str) -> str:
    """What ``python -m arguments`` prints in ``root``, where it must succeed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_"))}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    environment["DVC_NO_ANALYTICS"] = "1"
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(arguments)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def ran(output: str) -> set[str]:
    """The stages that executed; one restored from DVC's run cache did not."""
    return set(re.findall(r"Running stage '([^']+)'", output))


@pytest.fixture(scope="module")
def clones(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two fresh clones, each run from nothing: stage after stage, and two at a time."""
    roots = [clone(tmp_path_factory.mktemp(name)) for name in ("first", "second")]
    with ThreadPoolExecutor() as pool:
        serial = pool.submit(dvc, roots[0], "repro")
        parallel = pool.submit(module, roots[1], "ops.fcn", "run", "--jobs", "2")
    assert "publish" in ran(serial.result())
    assert "[publish] done" in parallel.result()
    return roots[0], roots[1]


def test_two_fresh_clones_give_the_same_lock(clones: tuple[Path, Path]) -> None:
    first, second = ((root / "dvc.lock").read_text() for root in clones)
    assert first == second


def test_running_again_runs_nothing(clones: tuple[Path, Path]) -> None:
    assert ran(dvc(clones[0], "repro")) == set()


def test_verify_gets_the_lock_again_without_a_cache(clones: tuple[Path, Path]) -> None:
    stages = ["convert@voc", "train@voc-fcn16s", "evaluate@voc-fcn16s"]
    lines = module(clones[0], "ops.fcn", "verify", *stages).splitlines()
    assert [line.split()[:2] for line in lines] == [[stage, "same"] for stage in stages]


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("pipeline/evaluation/scores.py", {"evaluate@voc-fcn32s", "evaluate@voc-fcn16s", "bounds@voc-seg11valid"}),
        ("pipeline/depth/hha.py", {"convert@nyud"}),
        ("pipeline/describe/bars.py", {"describe@voc", "describe@sbd", "describe@nyud", "describe@siftflow"}),
        ("pipeline/datasets/sbd.py", {"convert@sbd"}),
        ("pipeline/training/order.py", {"train@voc-fcn32s", "train@voc-fcn16s"}),
        ("pipeline/report/published.py", {"report"}),
        ("pipeline/backbones/googlenet.py", set()),
        ("README.md", set()),
    ],
)
def test_a_comment_reruns_exactly_who_imports_it(clones: tuple[Path, Path], file: str, stages: set[str]) -> None:
    """Equal bytes come out, so the wave stops there: nobody downstream runs."""
    root = clones[1]
    before = (root / file).read_text()
    append(root / file, "\n# a comment\n")
    try:
        assert ran(dvc(root, "repro")) == stages
    finally:
        (root / file).write_text(before)
        dvc(root, "repro")


def test_a_learning_rate_reruns_its_recipe_and_those_who_start_from_it(clones: tuple[Path, Path]) -> None:
    root = clones[0]
    edit(root, lambda params: params["recipes"]["voc-fcn16s"]["solver"].update(lr=2.0e-10))
    # Eight iterations leave every score as it was, so that the wave stops before the report.
    assert ran(dvc(root, "repro")) == {"leaks", "train@voc-fcn16s", "evaluate@voc-fcn16s", "publish"}
    edit(root, lambda params: params["recipes"]["voc-fcn32s"]["solver"].update(lr=3.0e-10))
    assert ran(dvc(root, "repro")) >= {"train@voc-fcn32s", "train@voc-fcn16s", "evaluate@voc-fcn32s", "publish"}


def edit(root: Path, change: Callable[[dict[str, Any]], object]) -> None:
    params = yaml.safe_load((root / "params.yaml").read_text())
    change(params)
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
