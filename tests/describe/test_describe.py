"""A report tells what the shards hold, and the same report every time."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.core.types import Refusal
from pipeline.describe.describe import describe
from pipeline.describe.sheet import WIDTH, sheet
from tests.describe.world import shards

ROOT = Path(__file__).parents[2]


def test_numbers_are_the_datas(tmp_path: Path) -> None:
    shards(tmp_path / "shards", train=("a1", "a2", "b2"), test=("c0", "c2"))
    describe(tmp_path / "shards", tmp_path / "report")
    told = json.loads((tmp_path / "report/metrics.json").read_text())
    train = told["splits"]["train"]
    assert train["images"] == 3
    assert train["height"] == {"least": 8, "median": 8, "most": 8}
    assert train["width"] == {"least": 11, "median": 12, "most": 12}
    assert train["sizes"] == 2
    assert train["duplicates"] == 1
    assert told["shared"] == {"test": {"train": 1}}
    label = train["labels"]["semantic"]
    assert label["share"] == {"sky": pytest.approx(2 / 3), "sea": pytest.approx(1 / 3), "boat": 0}
    assert label["images"] == {"sky": 3, "sea": 3, "boat": 0}
    assert (label["void"], label["absent"]) == (0.25, 1)
    red = np.array([10.0] * 88 + [20.0] * 192)
    color = train["columns"]["color"]
    assert color["mean"] == {"0": pytest.approx(red.mean()), "1": 50, "2": 255}
    assert color["std"] == {"0": pytest.approx(red.std()), "1": 0, "2": 0}
    depth = np.log(1000 + red / 10)  # as nets see it
    assert train["columns"]["depth"]["mean"]["0"] == pytest.approx(depth.mean(), abs=1e-4)


def test_classes_and_fingerprints_are_tables(tmp_path: Path) -> None:
    shards(tmp_path / "shards", train=("a1", "a2"), test=("c2",))
    describe(tmp_path / "shards", tmp_path / "report")
    with (tmp_path / "report/classes/train-semantic.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["class"], int(row["images"])) for row in rows] == [("sky", 2), ("sea", 2), ("boat", 0)]
    prints = pq.read_table(tmp_path / "report/fingerprints.parquet").to_pylist()
    assert [(row["split"], row["id"]) for row in prints] == [("test", "c2"), ("train", "a1"), ("train", "a2")]
    assert prints[0]["sha256"] == prints[2]["sha256"] != prints[1]["sha256"]


def test_pictures_show_every_split_and_head(tmp_path: Path) -> None:
    shards(tmp_path / "shards", train=tuple(f"{n:02d}{n % 10}" for n in range(40)), test=("c2",))
    describe(tmp_path / "shards", tmp_path / "report")
    names = sorted(path.name for path in (tmp_path / "report/pictures").iterdir())
    assert names == ["classes-semantic.png", "sheet-test.png", "sheet-train.png"]
    for name in names:
        with Image.open(tmp_path / "report/pictures" / name) as picture:
            assert picture.info.keys() <= {"dpi"}  # nothing that tells when or by what
            assert min(picture.size) > 60
    sheet_ = np.array(sheet(tmp_path / "shards/train"))
    assert sheet_.shape[1] == WIDTH
    seen = {tuple(color) for color in sheet_.reshape(-1, 3)[::3]}
    assert {(90, 160, 250), (20, 60, 140), (200, 40, 40), (50, 50, 255)} <= seen  # two labels, the legend, a photograph


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    shards(tmp_path / "shards", train=("a1", "a2"), test=("c2",))
    code = (
        "import sys; from pathlib import Path; from pipeline.describe.describe import describe; "
        "describe(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    for out, seed in (("one", "1"), ("two", "2")):
        command = [sys.executable, "-W", "error", "-c", code, str(tmp_path / "shards"), str(tmp_path / out)]
        subprocess.run(command, cwd=ROOT, env={"PYTHONHASHSEED": seed}, check=True)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_nothing_to_describe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="holds no finished split: run its convert stage"):
        describe(tmp_path, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
