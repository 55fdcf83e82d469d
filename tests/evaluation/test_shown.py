"""What an evaluation shows comes back as it was, index by index; a broken file is refused in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.types import LabelSpec, Refusal
from pipeline.evaluation import pictures
from pipeline.panels import panels, shown
from pipeline.panels.shown import Seen, Shown

HEADS = {  # the first has a white class, and two classes of one colour
    "semantic": LabelSpec(classes=("sky", "snow", "ice"), palette=((0, 0, 9), (255,) * 3, (0, 0, 9)), ignore_label=254),
    "geometric": LabelSpec(classes=("up", "down"), palette=((1, 2, 3), (4, 5, 6))),
}


def rows() -> list[Shown]:
    """Two images of different sizes at three places, two heads each, with some void."""
    seen = []
    for seed, name in enumerate(("a/b c", "a_b_c")):
        rng = np.random.default_rng(seed)
        size = (5 + seed, 7)
        image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        predicted = {head: rng.integers(0, len(label.classes), size, dtype=np.uint8) for head, label in HEADS.items()}
        truth = {head: one.copy() for head, one in predicted.items()}
        for head, label in HEADS.items():
            truth[head][0, :3] = label.ignore_label
        seen.append(Seen(name, image, truth, predicted))
    places = {"00": seen[0], "01": seen[1], "best-1": seen[0]}
    return [row for place, one in places.items() for row in one.rows(place, HEADS)]


def test_all_comes_back_index_by_index_in_its_order(tmp_path: Path) -> None:
    pictures.write(tmp_path, rows())
    again = shown.read(tmp_path)
    assert [row.spread for row in again] == [True] * 4 + [False] * 2
    for row, other in zip(rows(), again, strict=True):
        assert (row.place, row.head, row.id, row.label) == (other.place, other.head, other.id, other.label)
        for name in ("image", "truth", "predicted"):
            assert np.array_equal(getattr(row, name), getattr(other, name))


def test_an_image_is_kept_once_for_all_heads_and_what_indices_mean_is_one_json_value(tmp_path: Path) -> None:
    pictures.write(tmp_path, rows())
    table = pq.read_table(tmp_path / "shown.parquet")
    assert [png is None for png in table["image"].to_pylist()] == [False, True] * 3
    assert [*table.schema.metadata] == [shown.HEADS]
    told = json.loads(table.schema.metadata[shown.HEADS])
    assert {head: LabelSpec.from_json(label) for head, label in told.items()} == HEADS


def test_equal_rows_give_equal_bytes_and_a_panel_for_each_place(tmp_path: Path) -> None:
    for folder in ("one", "other"):
        pictures.write(tmp_path / folder, rows())
    one, other = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).rglob("*.*")} for folder in ("one", "other")
    )
    assert one == other
    assert one.keys() == {"shown.parquet", "00-a_b_c.png", "01-a_b_c.png", "best-1-a_b_c.png"}


def test_void_is_white_and_errors_are_red_whatever_colours_the_classes_have() -> None:
    image = np.full((1, 3, 3), 100, np.uint8)
    truth, predicted = np.array([[1, 0, 254]], np.uint8), np.array([[1, 2, 1]], np.uint8)
    (row,) = Seen("a", image, {"semantic": truth}, {"semantic": predicted}).rows("00", {"semantic": HEADS["semantic"]})
    tiles = row.tiles()
    assert tiles["label"].tolist() == [[[255] * 3, [0, 0, 9], [255] * 3]]
    assert tiles["errors"].tolist() == [[[200] * 3, list(panels.WRONG), [255] * 3]]
    assert row.crop((1, 0, 3, 1)).truth.tolist() == [[0, 254]]


def test_an_evaluation_without_the_file_shows_nothing(tmp_path: Path) -> None:
    assert shown.read(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("height", [6] + [5] * 5, "cannot reshape"),
        ("height", [None] * 6, "NoneType"),
        ("image", [b"no\npicture"] * 6, "cannot identify"),
        ("image", [None] * 6, "'00'"),
        ("truth", [bytes([3] * 35)] * 6, "a/b c: an index is no class"),
        ("predicted", [bytes([254] * 35)] * 6, "a/b c: an index is no class"),
        ("head", ["other"] * 6, "'other'"),
    ],
)
def test_a_broken_column_is_refused_in_one_line(tmp_path: Path, name: str, value: list[object], told: str) -> None:
    pictures.write(tmp_path, rows())
    path = tmp_path / shown.FILE
    table = pq.read_table(path)
    place = table.column_names.index(name)
    pq.write_table(table.set_column(place, name, pa.array(value, table.schema.field(name).type)), path)
    with pytest.raises(Refusal, match=r"shown\.parquet holds no images to show .*: run its evaluate stage again") as no:
        shown.read(tmp_path)
    assert told in str(no.value)
    assert "\n" not in str(no.value)


def test_a_file_cut_short_one_without_its_classes_and_one_of_other_sizes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / shown.FILE
    pictures.write(tmp_path, rows())
    whole, table = path.read_bytes(), pq.read_table(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Refusal, match="run its evaluate stage again"):
        shown.read(tmp_path)
    pq.write_table(table.replace_schema_metadata(None), path)
    with pytest.raises(Refusal, match="run its evaluate stage again"):
        shown.read(tmp_path)
    pictures.write(tmp_path, rows())
    pq.write_table(table.drop_columns(["predicted"]), path)
    with pytest.raises(Refusal, match="'predicted'"):
        shown.read(tmp_path)
    small = [replace(row, truth=row.truth[1:], predicted=row.predicted[1:]) for row in rows()]
    pq.write_table(pictures.table(small), path)
    with pytest.raises(Refusal, match="image and label differ in size"):
        shown.read(tmp_path)
