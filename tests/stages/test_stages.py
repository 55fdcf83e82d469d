"""Stages do as their rows in params.yaml say, and refuse in one line what they do not understand."""

import hashlib
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from pipeline.core.png import PASCAL
from pipeline.core.types import Refusal
from pipeline.leaks import learned, picks_as_recipes, validated
from pipeline.shards.reader import Shards
from stages import splits
from stages.shared.dvc import declared
from tests.closure import ROOT
from tests.shards.world import encoded, pack

TEMPLATES = {"convert_folder": {"root": "x"}, "bounds": {"shards": "x", "split": "x"}, "download": {"folder": "x"}}
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())


def run(stage: str, group: str, key: str, row: dict[str, Any]) -> Result:
    """The stage, with ``row`` as the only one of its group."""
    Path("params.yaml").write_text(yaml.safe_dump({**PARAMS, group: {key: row}}))
    return CliRunner().invoke(import_module(f"stages.{stage}").main, [key])


def test_archives_arrive_and_trust_is_told() -> None:
    Path("a.bin").write_bytes(b"a")
    file = {"name": "a.bin", "urls": [Path("a.bin").absolute().as_uri()], "bytes": 1}
    ran = run("download", "downloads", "voc", {"folder": "data/raw/voc", "files": [file]})
    assert (ran.exit_code, Path("data/raw/voc/a.bin").read_bytes()) == (0, b"a")
    assert "data/raw/voc/a.bin is taken on trust: its sha256 is in data/digests/voc.sha256 now, commit" in ran.stderr
    assert Path("data/digests/voc.sha256").read_text() == f"{hashlib.sha256(b'a').hexdigest()}  a.bin\n"
    ran = run("download", "downloads", "voc", {"folder": "x", "files": [{"name": "b.bin", "sha256": ["0" * 64]}]})
    assert ran.exit_code == 1
    assert ran.stderr.startswith("Error: could not fetch b.bin: no URL is listed; put it into a folder")


def test_archives_convert() -> None:
    Path("data/raw").mkdir(parents=True)
    counts = pack(Path("data/raw/voc"), ["a", "b", "c"])
    assert run("convert", "datasets", "voc", {"rows_per_shard": 2, "expect": counts}).exit_code == 0
    written = [Shards(Path("data/shards/voc") / split) for split in ("train", "val", "seg11valid")]
    assert [len(split.manifest.shards) for split in written] == [2, 1, 1]


def test_a_folder_converts_by_five_lines() -> None:
    for kind, pixels in (("images", np.zeros((32, 40, 3), np.uint8)), ("labels", np.eye(32, 40, dtype=np.uint8))):
        Path("mine", kind).mkdir(parents=True)
        for name in (*"abcdefgh", *(["unpaired"] if kind == "labels" else [])):
            Path("mine", kind, f"{name}.png").write_bytes(encoded(pixels, "PNG"))
    row = {"root": "mine", "classes": ["soil", "leaf"], "images": "images/*.PNG", "splits": ["train=train.txt"]}
    Path("mine/train.txt").write_text("a\nb\n")
    ran = run("convert_folder", "folders", "mine", row)
    assert (ran.exit_code, len(Shards(Path("data/shards/mine/train")))) == (0, 2)
    unused = "images in no split: 6 (images/c.png, …); labels without an image: 1 ("
    assert ran.stderr.startswith(f"mine: not used: {unused}")
    Path("mine/labels/unpaired.png").unlink()
    assert run("convert_folder", "folders", "mine", {"root": "mine", "classes": ["soil", "leaf"]}).exit_code == 0
    both = [Shards(Path("data/shards/mine") / split) for split in ("train", "val")]
    assert sum(map(len, both)) == 8
    assert both[0].manifest.spec.labels["semantic"].palette == PASCAL[:2]


@pytest.mark.parametrize(
    ("stage", "group", "row", "told"),
    [
        ("convert", "datasets", {"expects": []}, "datasets.voc has no field 'expects': did you mean 'expect'?"),
        ("convert", "datasets", {"expect": ["train=1"], "rows_per_shard": 0}, "rows_per_shard is 0: it must be at"),
        ("convert_folder", "folders", {"clases": []}, "folders.voc has no field 'clases': did you mean 'classes'?"),
        ("miniature", "miniatures", {"seeds": 7}, "miniatures.voc has no field 'seeds': did you mean 'seed'?"),
        ("miniature", "miniatures", {"counts": ["train=6|7"]}, "voc.counts has 'train=6|7': write it as split=n"),
        ("bounds", "bounds", {"shard": "voc"}, "bounds.voc has no field 'shard': did you mean 'shards'?"),
        ("download", "downloads", {"file": []}, "downloads.voc has no field 'file': did you mean 'files'?"),
    ],
)
def test_a_typo_in_a_row_is_refused_with_the_near_name(stage: str, group: str, row: dict[str, Any], told: str) -> None:
    ran = run(stage, group, "voc", {**TEMPLATES.get(stage, {}), **row})
    assert ran.exit_code == 1
    assert told in ran.stderr and ran.stderr.count("\n") == 1
    assert not Path("data").exists()


def test_no_learning_rate_changes_a_byte_of_what_leaks_reads() -> None:
    params, wrote = yaml.safe_load((ROOT / "params.yaml").read_text()), []
    for change in ({}, {"lr": 1.0, "iterations": 7, "seed": 2, "tune": "scores"}):
        for recipe in params["recipes"].values():
            recipe["solver"].update(change)
            recipe["data"] |= {"alter": "jitter"} if change else {}
        Path("params.yaml").write_text(yaml.safe_dump(params))
        ran = CliRunner().invoke(splits.main)
        assert ran.exit_code == 0, ran.output
        wrote.append(Path("data/splits.json").read_bytes())
    assert wrote[0] == wrote[1] == (ROOT / "data/splits.json").read_bytes()
    assert not declared("leaks").leaves


def row(data: str, init: str = "weights/vgg16-fcn.safetensors", **net: str) -> dict[str, Any]:
    split = {"shards": data, "split": "train"}
    return {"net": {"init": init, **net}, "data": split, "evaluate": {**split, "split": "val"}, "solver": {"lr": 1.0}}


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
