"""No recipe is scored on a photograph it learned from, and a renamed photograph is still the same one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.core.types import Refusal
from pipeline.describe.describe import describe
from pipeline.leaks import leaks
from tests.describe.world import shards


def reports(folder: Path) -> Path:
    shards(folder / "shards/coast", train=("a1", "a2"), val=("b2", "b3"), test=("c4",))
    shards(folder / "shards/other", train=("d4", "d5"))
    for key in ("coast", "other"):
        describe(folder / "shards" / key, folder / "reports" / key)
    return folder / "reports"


def test_every_scored_split_is_held_against_every_other(tmp_path: Path) -> None:
    recipes = {
        "coarse": {"train": "coast/train", "evaluate": "coast/test"},
        "own": {"train": "other/train", "evaluate": "coast/val"},
    }
    leaks(reports(tmp_path), recipes, tmp_path / "leaks.json")
    assert json.loads((tmp_path / "leaks.json").read_text()) == {
        "coast/test": {"coast/train": 0, "coast/val": 0, "other/train": 1},
        "coast/val": {"coast/test": 0, "coast/train": 1, "other/train": 0},
    }


def test_a_photograph_under_another_name_is_found(tmp_path: Path) -> None:
    recipes = {"coarse": {"train": "coast/train", "evaluate": "coast/val"}}
    with pytest.raises(Refusal, match=r"recipes\.coarse trains on coast/train .* share 1 photographs: a2 .* is b2"):
        leaks(reports(tmp_path), recipes, tmp_path / "leaks.json")
    assert not (tmp_path / "leaks.json").exists()


def test_a_split_that_nobody_described_is_refused(tmp_path: Path) -> None:
    recipes = {"coarse": {"train": "coast/training", "evaluate": "coast/val"}}
    with pytest.raises(Refusal, match=r"names coast/training, but the described splits are coast/test, coast/train"):
        leaks(reports(tmp_path), recipes, tmp_path / "leaks.json")
