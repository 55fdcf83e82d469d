"""A report says what the shards hold, and the same every time; no net is scored on a photograph it learned from."""

import csv
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.convert import writer
from pipeline.core.png import png
from pipeline.core.types import DatasetSpec, Encoded, LabelSpec, Refusal, Sample
from pipeline.describe.describe import describe, difference_hash
from pipeline.describe.pictures import WIDTH
from pipeline.leaks import leaks

LABEL = LabelSpec(classes=("sky", "sea", "boat"), palette=((90, 160, 250), (20, 60, 140), (200, 40, 40)))


def sampled(name: str, color: np.ndarray, depth: np.ndarray, label: np.ndarray) -> Sample:
    height, width = label.shape
    images = {column: Encoded(bytes=png(each), path="x.png") for column, each in (("color", color), ("depth", depth))}
    labels = {"semantic": Encoded(bytes=png(label), path="x.png")}
    return Sample(id=name, height=height, width=width, images=images, labels=labels)


@dataclass(frozen=True)
class Coast:
    """``lists`` maps each split to ids such as "a7": the digit is the shade, so "a7" and "b7" are one photograph.

    Images are 8 rows of 10 + shade: half sky, a quarter sea, the rest void; depth is 1000 + shade.
    """

    lists: Mapping[str, list[str]]
    SPEC = DatasetSpec(name="coast", images=("color", "depth"), labels={"semantic": LABEL}, modes={"depth": "I;16"})

    def splits(self, raw: Path) -> tuple[str, ...]:
        return tuple(self.lists)

    def ids(self, raw: Path, split: str) -> list[str]:
        return self.lists[split]

    def read(self, raw: Path, wanted: Iterable[str]) -> Iterator[tuple[str, int]]:
        yield from ((name, int(name[-1])) for name in wanted)

    def sample(self, name: str, shade: int) -> Sample:
        height, width = 8, 10 + shade
        label = np.zeros((height, width), np.uint8)
        label[4:6], label[6:] = 1, 255
        color = np.full((height, width, 3), (10 * shade, 50, 255), np.uint8)
        return sampled(name, color, np.full((height, width), 1000 + shade, np.uint16), label)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """shards/ of three splits, and the report/ of them."""
    root = tmp_path_factory.mktemp("describe")
    many = [f"{n:02d}{n % 9}" for n in range(40)]
    coast = Coast({"train": ["a1", "a2", "b2"], "test": ["c0", "c2"], "many": many, "other": ["d9"]})
    writer.convert("coast", lambda: coast, Path(), root / "shards", rows_per_shard=3, expect=None, processes=1)
    describe(root / "shards", root / "report")
    return root


def test_numbers_are_the_datas(root: Path) -> None:
    report = json.loads((root / "report/metrics.json").read_text())
    train = report["splits"]["train"]
    assert (train["images"], train["sizes"], train["duplicates"]) == (3, 2, 1)
    assert train["height"] == {"least": 8, "median": 8, "most": 8}
    assert train["width"] == {"least": 11, "median": 12, "most": 12}
    assert report["shared"] == {
        "many": {"other": 0, "test": 2, "train": 2},
        "other": {"test": 0, "train": 0},
        "test": {"train": 1},
    }
    label = train["labels"]["semantic"]
    assert label["share"] == {"sky": pytest.approx(2 / 3), "sea": pytest.approx(1 / 3), "boat": 0}
    assert label["images"] == {"sky": 3, "sea": 3, "boat": 0}
    assert (label["void"], label["absent"]) == (0.25, 1)
    red = np.array([10.0] * 88 + [20.0] * 192)
    color, depth = train["columns"]["color"], train["columns"]["depth"]
    assert color["mean"] == {"0": pytest.approx(red.mean()), "1": 50, "2": 255}
    assert color["std"] == {"0": pytest.approx(red.std()), "1": 0, "2": 0}
    assert depth["mean"]["0"] == pytest.approx(np.log(1000 + red / 10).mean(), abs=1e-4), "as nets see it"


def test_classes_and_fingerprints_are_tables(root: Path) -> None:
    rows = [*csv.DictReader((root / "report/classes/train-semantic.csv").read_text().splitlines())]
    assert [(row["class"], int(row["images"])) for row in rows] == [("sky", 3), ("sea", 3), ("boat", 0)]
    prints = pq.read_table(root / "report/fingerprints.parquet").to_pylist()[-5:]
    assert [f"{row['split']}/{row['id']}" for row in prints] == [
        *("test/c0", "test/c2"),
        *("train/a1", "train/a2", "train/b2"),
    ]
    assert prints[1]["sha256"] == prints[3]["sha256"] == prints[4]["sha256"] != prints[2]["sha256"]


def test_pictures_show_every_split_and_head(root: Path) -> None:
    names = sorted(path.name for path in (root / "report/pictures").iterdir())
    assert names == ["classes-semantic.png", *(f"sheet-{split}.png" for split in ("many", "other", "test", "train"))]
    with Image.open(root / "report/pictures/sheet-many.png") as sheet:
        assert sheet.width == WIDTH
        assert not sheet.info, "neither when nor by what it was drawn"
        seen = {color for _, color in sheet.getcolors(1 << 20) or ()}
    assert {*LABEL.palette, (50, 50, 255)} <= seen, "two labels, the legend, a photograph"


@dataclass(frozen=True)
class Roll(Coast):
    """Photographs by number, and what people do to them: ``7``, or ``7s`` saved anew, ``7b`` made brighter, ``7h``
    half its size, ``7x`` mirrored. ``0`` is a plain wall."""

    def read(self, raw: Path, wanted: Iterable[str]) -> Iterator[tuple[str, str]]:  # type: ignore[override]
        yield from ((name, name) for name in wanted)

    def sample(self, name: str, way: str) -> Sample:  # type: ignore[override]
        coarse = np.random.default_rng(int(way[0])).integers(0, 200, (6, 7, 3), np.uint8)
        image = Image.fromarray(coarse * (way[0] != "0")).resize((70, 60), Image.Resampling.BICUBIC)
        if "h" in way:
            image = image.resize((35, 30), Image.Resampling.LANCZOS)
        pixels = np.array(image)[:, :: -1 if "x" in way else 1] + np.uint8(20 * ("b" in way))
        if "s" in way:
            pixels = np.clip(pixels.astype(int) + np.random.default_rng(1).integers(-4, 5, pixels.shape), 0, 255)
        size = pixels.shape[:2]
        return sampled(name, pixels.astype(np.uint8), np.ones(size, np.uint16), np.zeros(size, np.uint8))


def test_images_that_look_alike_across_splits_are_told_and_shown_and_stay(tmp_path: Path) -> None:
    roll = Roll({"train": [*"0123456789"], "val": ["0b", "1", "2s", "3b", "4h", "5x"]})
    writer.convert("roll", lambda: roll, Path(), tmp_path / "shards", rows_per_shard=9, expect=None, processes=1)
    (told,) = describe(tmp_path / "shards", tmp_path / "report")
    assert told.startswith("3 of 6 images of val look like one of train, as ")
    report = json.loads((tmp_path / "report/metrics.json").read_text())
    assert (report["alike"], report["shared"]) == ({"train": {"val": 3}}, {"train": {"val": 1}})
    assert report["splits"]["val"]["images"] == 6
    with Image.open(tmp_path / "report/pictures/alike.png") as picture:
        assert picture.width == WIDTH


def test_a_hash_is_of_whole_numbers() -> None:
    """Computed once on an AMD EPYC; another processor or NumPy must find the same."""
    pixels = (np.arange(61 * 83 * 3) ** 2 // 97 % 251).astype(np.uint8).reshape(61, 83, 3)
    assert difference_hash(pixels) == 9639297173691127636
    assert difference_hash(np.zeros((1, 1, 3), np.uint8)) == 0


def test_nothing_to_describe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="holds no finished split: run its convert stage"):
        describe(tmp_path, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def leaks_of(root: Path, tmp_path: Path, learned: str, scored: str) -> Any:
    """What ``leaks`` writes of a recipe that learns from ``coast/<learned>``, and is scored on ``coast/<scored>``."""
    (tmp_path / "coast").mkdir()
    shutil.copy(root / "report/fingerprints.parquet", tmp_path / "coast")
    data, evaluate = ({"shards": "coast", "split": split} for split in (learned, scored))
    leaks(tmp_path, {"one": {"data": data, "evaluate": evaluate}}, tmp_path / "leaks.json")
    return json.loads((tmp_path / "leaks.json").read_text())


def test_a_scored_split_is_held_against_every_other(root: Path, tmp_path: Path) -> None:
    told = {"coast/test": {"coast/many": 2, "coast/other": 0, "coast/train": 1}}
    assert leaks_of(root, tmp_path, "other", "test") == told


@pytest.mark.parametrize(
    ("learned", "message"),
    [
        ("train", "one trains on coast/train .* share 1 photographs: a2 .* is c2 of the other; leave them out"),
        ("all", "one names coast/all, but the described splits are coast/many, coast/other, coast/test, coast/train"),
    ],
)
def test_a_leak_and_an_unknown_split_are_refused(root: Path, tmp_path: Path, learned: str, message: str) -> None:
    with pytest.raises(Refusal, match=message):
        leaks_of(root, tmp_path, learned, "test")
    assert not (tmp_path / "leaks.json").exists()
