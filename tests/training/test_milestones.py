"""Weights that are kept on the way are those of that iteration, whole, all there, and this training's own."""

import itertools
import json
from pathlib import Path

import pytest

from pipeline.core.types import Refusal
from pipeline.runtime.fingerprint import Fingerprint
from pipeline.training.resume import Snapshots, Stopped
from tests.training.world import digests, fit, recipe

KEPT = ["000003.safetensors", "000006.safetensors", "000007.safetensors", "index.json"]


def snapshots(root: Path, stop: int = 10**9, params: str = "a", **options: bool) -> Snapshots:
    """One after every iteration; the training is asked to stop after ``stop`` of them."""
    done = itertools.count(1)
    mark = Fingerprint(stage="train@noise-fcn", params={"x": params}, deps={}, torch="", device="")
    asked = lambda: next(done) >= stop  # noqa: E731
    return Snapshots(root=root / "snapshots", fingerprint=mark, seconds=0, asked=asked, **options)


def train(root: Path, out: str, kept: Snapshots, milestones: int = 3) -> dict[str, str]:
    """The digests of what seven iterations leave."""
    row = recipe(iterations=7, milestones=milestones)
    return fit(root, out, row=row, snapshots=kept, milestones=root / out / "milestones")


def test_they_are_what_a_training_that_ends_there_writes_and_change_nothing(tmp_path: Path) -> None:
    train(tmp_path, "kept", snapshots(tmp_path))
    found = digests(tmp_path / "kept/milestones")
    assert sorted(found) == KEPT
    assert json.loads((tmp_path / "kept/milestones/index.json").read_text()) == {"iterations": [3, 6, 7]}
    for iterations in (3, 7):
        alone = fit(tmp_path, f"alone {iterations}", row=recipe(iterations=iterations))["model.safetensors"]
        assert found[f"{iterations:06d}.safetensors"] == alone
    train(tmp_path, "none", snapshots(tmp_path), milestones=0)
    assert json.loads((tmp_path / "none/milestones/index.json").read_text()) == {"iterations": []}
    assert digests(tmp_path / "none")["model.safetensors"] == digests(tmp_path / "kept")["model.safetensors"]
    assert not list((tmp_path / "snapshots").iterdir())


@pytest.mark.parametrize("stop", [2, 3, 4, 6])
def test_a_training_that_was_stopped_leaves_the_same(tmp_path: Path, stop: int) -> None:
    whole = train(tmp_path, "whole", snapshots(tmp_path))
    stopped = snapshots(tmp_path, stop)
    with pytest.raises(Stopped):
        train(tmp_path, "again", stopped)
    waiting = stopped.folder / "milestones"
    assert sorted(digests(waiting)) == KEPT[: stop // 3]
    waiting.mkdir(exist_ok=True)
    (waiting / ".partial").write_text("half-written")
    assert train(tmp_path, "again", snapshots(tmp_path)) == whole


def test_those_of_another_recipe_are_left_out_and_a_lost_one_is_told(tmp_path: Path) -> None:
    other, own = snapshots(tmp_path, 4, "b"), snapshots(tmp_path, 4)
    for each in (other, own):
        with pytest.raises(Stopped):
            train(tmp_path, "never", each)
    (own.folder / "milestones" / KEPT[0]).unlink()
    with pytest.raises(Refusal, match=r"000003\.safetensors is gone, and the training is past it: delete .* to start"):
        train(tmp_path, "again", snapshots(tmp_path))
    (other.folder / "milestones/000005.safetensors").write_text("of an iteration that this one does not keep")
    train(tmp_path, "again", snapshots(tmp_path, params="b"))
    assert sorted(digests(tmp_path / "again/milestones")) == KEPT


def test_a_disk_that_does_not_take_one_ends_the_training_in_a_line(tmp_path: Path) -> None:
    kept = snapshots(tmp_path)
    kept.folder.mkdir(parents=True)
    (kept.folder / "milestones").write_text("no folder")
    with pytest.raises(Refusal, match=r"000003\.safetensors cannot be written \(.*\): make room, and run again"):
        train(tmp_path, "run", kept)
    assert not (tmp_path / "run").exists()
