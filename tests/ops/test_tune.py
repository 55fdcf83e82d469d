"""``fcn tune`` tells how rates around a recipe's fare, suggests one, and leaves nothing behind."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from ops.fcn import main
from tests.closure import ROOT
from tests.training.world import DIVERGING, classifier, configure, repository, shards

pytestmark = pytest.mark.usefixtures("flags")
ROW = re.compile(r" *(\S+e-\d\d)  +(?:(\d+\.\d{3})  +(\d\.\d{3})|diverged)  +\d+")


def tuned(*arguments: str) -> Result:
    done = CliRunner().invoke(main, ["tune", "noise-fcn", *arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def listing(root: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(repository(tmp_path, iterations=12, lr=1e-6, crop=40))
    return tmp_path


@pytest.mark.parametrize("val", [True, False])
def test_a_row_for_each_rate_and_the_best_is_suggested(world: Path, val: bool) -> None:
    if val:
        shards(world / "data/shards/noise/val", [1])
    before = listing(world)
    said = tuned().stdout.splitlines()
    where = "6 images of data/shards/noise/val" if val else "1 images of data/shards/noise/train"
    assert said[0] == f"noise-fcn: 12 of 12 iterations at each rate, then {where}"
    rows = [ROW.fullmatch(line) for line in said[2:-1]]
    assert [row and row[1] for row in rows] == ["1.00e-07", "3.16e-07", "1.00e-06", "3.16e-06", "1.00e-05"]
    best = max((row for row in rows if row and row[3]), key=lambda row: (float(row[3]), -float(row[2])))
    assert said[-1].startswith(f"suggested: lr: {best[1]}")
    assert listing(world) == before


def test_a_rate_that_diverges_is_a_row(world: Path) -> None:
    configure(world, iterations=12, weight_decay=DIVERGING["weight_decay"])
    said = tuned("--rate", "1e-3", "--rate", "1e-40", "--plot", "losses.png").stdout.splitlines()
    assert "diverged" in said[2]
    assert "diverged" not in said[3]
    assert said[4] == "suggested: lr: 1.00e-40, the outermost: try --rate 3.16e-41 too"
    with Image.open(world / "losses.png") as picture:
        assert picture.width > 400
    assert tuned("--rate", "1e-3").stdout.endswith("every rate diverged: try --rate 1.00e-04\n")


@pytest.mark.parametrize("plot", ["losses.txt", "nowhere/losses.png"])
def test_refuses_a_picture_that_it_cannot_write_before_it_trains(world: Path, plot: str) -> None:
    done = tuned("--plot", plot)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: --plot {plot}: ")


def test_what_is_wrong_with_the_inputs_is_no_row(world: Path) -> None:
    (world / "weights/vgg16-fcn.safetensors").unlink()
    done = tuned()
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: no weights at weights/vgg16-fcn.safetensors")
    classifier(world / "weights/vgg16-fcn.safetensors")


def test_needs_neither_dvc_nor_mlflow(world: Path) -> None:
    code = "assert not {'dvc', 'mlflow', 'pandas'} & set(sys.modules)"
    script = f"import sys; from ops.fcn import main; main(sys.argv[1:], standalone_mode=False); {code}"
    command = [sys.executable, "-W", "error", "-c", script, "tune", "noise-fcn", "--rate", "1e-7"]
    subprocess.run(command, cwd=world, check=True, env={"PYTHONPATH": str(ROOT), "PATH": ""})
