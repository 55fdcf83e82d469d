"""What nets learned from is known through their inits, and no learning rate changes it or proves it anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from pipeline.core.types import Refusal
from pipeline.leaks import learned, picks_as_recipes, validated
from stages import splits
from stages.shared.dvc import declared
from tests.closure import ROOT


def row(data: str, init: str = "weights/vgg16-fcn.safetensors", **net: str) -> dict[str, Any]:
    split = {"shards": data, "split": "train"}
    return {"net": {"init": init, **net}, "data": split, "evaluate": {**split, "split": "val"}, "solver": {"lr": 1.0}}


def test_no_learning_rate_changes_a_byte_of_what_leaks_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    wrote = []
    for change in ({}, {"lr": 1.0, "iterations": 7, "seed": 2, "tune": "scores"}):
        for recipe in params["recipes"].values():
            recipe["solver"].update(change)
            recipe["data"] |= {"alter": "jitter"} if change else {}
        Path("params.yaml").write_text(yaml.safe_dump(params))
        result = CliRunner().invoke(splits.main, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        wrote.append(Path("data/splits.json").read_bytes())
    assert wrote[0] == wrote[1] == (ROOT / "data/splits.json").read_bytes()
    assert not declared("leaks").leaves


@pytest.mark.parametrize(
    ("init", "also"),
    [
        ({"init": "weights/vgg16-fcn.safetensors"}, []),
        ({"init": "runs/theirs/model.safetensors"}, ["theirs"]),
        ({"init": "runs/theirs/model.safetensors", "start": "random"}, []),  # their architecture alone
        ({"init": "runs/finer/model.safetensors"}, ["finer", "theirs"]),
        ({"init": "runs/same/model.safetensors"}, ["theirs"]),  # it learned from what ours learns from
        ({"init": "weights/both.safetensors"}, ["theirs", "finer"]),
        ({"init": "runs/gone/model.safetensors"}, []),
    ],
)
def test_a_net_learned_from_what_the_nets_before_it_learned_from(init: dict[str, str], also: list[str]) -> None:
    rows = {
        "theirs": {**row("sbd"), "net": {"name": "voc-fcn32s"}},  # an import
        "finer": row("coast", "runs/theirs/model.safetensors"),
        "same": row("mine", "runs/theirs/model.safetensors"),
        "ours": row("mine", **init),
    }
    both = {"both": {"first": "runs/theirs/model.safetensors", "second": "runs/finer/model.safetensors"}}
    found = {name: one for name, one in learned(rows, both).items() if name.startswith("ours")}
    assert list(found) == ["ours", *(f"ours, which starts from {name}," for name in also)]
    assert {one["evaluate"]["shards"] for one in found.values()} == {"mine"}
    assert [one["data"]["shards"] for one in found.values()][1:] == [rows[name]["data"]["shards"] for name in also]


def test_a_pick_learned_what_its_recipe_did_and_validation_is_neither_learned_nor_judged() -> None:
    rows = {"coarse": row("coast"), "fine": row("mine", "runs/best/model.safetensors")}
    test = {"shards": "mine", "split": "test"}
    picked = picks_as_recipes({"best": {"recipe": "coarse", "evaluate": test}}, rows)
    found = learned({**rows, **picked}, {})
    assert found["best"] == {"data": {"shards": "coast", "split": "train"}, "evaluate": test}
    assert found["fine, which starts from best,"]["data"]["shards"] == "coast"
    chosen = validated({"fine": test}, rows)
    assert [*chosen.values()] == [
        {"data": {"shards": "mine", "split": "train"}, "evaluate": test},
        {"data": test, "evaluate": {"shards": "mine", "split": "val"}},
    ]
    with pytest.raises(Refusal, match=r"picks\.best\.recipe is gone: it has coarse, fine"):
        picks_as_recipes({"best": {"recipe": "gone"}}, rows)
    with pytest.raises(Refusal, match=r"validations\.gone is of no recipe: there are coarse, fine"):
        validated({"gone": test}, rows)
