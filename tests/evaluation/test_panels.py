"""What an evaluation shows comes back index by index, and is drawn; a broken file is refused in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.types import LabelSpec, Refusal
from pipeline.evaluation import outputs
from pipeline.panels import panels
from pipeline.panels.panels import Seen, Shown

HEADS = {  # the first has a white class, and two classes of one colour
    "semantic": LabelSpec(classes=("sky", "snow", "ice"), palette=((0, 0, 9), (255,) * 3, (0, 0, 9)), ignore_label=254),
    "geometric": LabelSpec(classes=("up", "down"), palette=((1, 2, 3), (4, 5, 6))),
}


def rows() -> list[Shown]:
    """Two images of different sizes at three places, two heads each, with some void."""
    rng, seen = np.random.default_rng(0), []
    for size, name in {(5, 7): "a/b c", (6, 7): "a_b_c"}.items():
        predicted = {head: rng.integers(0, len(label.classes), size, dtype=np.uint8) for head, label in HEADS.items()}
        truth = {head: one.copy() for head, one in predicted.items()}
        for head, label in HEADS.items():
            truth[head][0, :3] = label.ignore_label
        seen.append(Seen(name, rng.integers(0, 256, (*size, 3), dtype=np.uint8), truth, predicted))
    places = {"00": seen[0], "01": seen[1], "best-1": seen[0]}
    return [row for place, one in places.items() for row in one.rows(place, HEADS)]


def test_all_comes_back_in_its_order_and_an_image_is_kept_once_for_all_heads(tmp_path: Path) -> None:
    outputs.write_panels(tmp_path, rows())
    again = panels.read(tmp_path)
    assert [row.spread for row in again] == [True] * 4 + [False] * 2
    for row, other in zip(rows(), again, strict=True):
        assert (row.place, row.head, row.id, row.label) == (other.place, other.head, other.id, other.label)
        assert all(np.array_equal(*pair) for pair in zip(row[3:6], other[3:6], strict=True))
    table = pq.read_table(tmp_path / panels.FILE)
    assert [png is None for png in table["image"].to_pylist()] == [False, True] * 3
    heads = json.loads(table.schema.metadata[panels.HEADS])
    assert {head: LabelSpec.from_json(label) for head, label in heads.items()} == HEADS


def test_equal_rows_give_equal_bytes_and_a_panel_for_each_place(tmp_path: Path) -> None:
    for folder in ("one", "other"):
        outputs.write_panels(tmp_path / folder, rows())
    one, other = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).rglob("*.*")} for folder in ("one", "other")
    )
    assert one == other
    assert one.keys() == {"shown.parquet", "00-a_b_c.png", "01-a_b_c.png", "best-1-a_b_c.png"}


def test_chosen_images_are_spread_evenly_and_never_twice() -> None:
    assert [panels.chosen(images) for images in (0, 3, 8)] == [[], [0, 1, 2], [*range(8)]]
    assert panels.chosen(736) == [0, 92, 184, 276, 368, 460, 552, 644]


def test_void_is_white_and_errors_are_red_whatever_colours_the_classes_have() -> None:
    image = np.full((1, 3, 3), 100, np.uint8)
    truth, predicted = np.array([[1, 0, 254]], np.uint8), np.array([[1, 2, 1]], np.uint8)
    seen = {"semantic": truth}, {"semantic": predicted}, {"semantic": HEADS["semantic"]}
    (row,) = Seen("a", image, *seen[:2]).rows("00", seen[2])
    assert row.tiles()["label"].tolist() == [[[255] * 3, [0, 0, 9], [255] * 3]]
    assert row.tiles()["errors"].tolist() == [[[200] * 3, list(panels.WRONG), [255] * 3]]
    assert row.crop((1, 0, 3, 1)).truth.tolist() == [[0, 254]]
    panel = panels.panel(image, *seen)
    for place, tile in enumerate(row.tiles().values()):
        assert np.array_equal(panel[:, place * (3 + panels.GAP) :][:, :3], tile), "side by side"
    two = (dict.fromkeys(HEADS, one) for one in (truth, predicted, HEADS["semantic"]))
    assert panels.panel(image, *two).shape == (2 + panels.GAP, 4 * 3 + 3 * panels.GAP, 3), "a row for each head"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("height", [6] + [5] * 5, "cannot reshape"),
        ("image", [b"no\npicture"] * 6, "cannot identify"),
        ("truth", [bytes([3] * 35)] * 6, "a/b c: an index is no class"),
        ("head", ["other"] * 6, "'other'"),
        ("predicted", None, "'predicted'"),
    ],
)
def test_a_broken_column_is_refused_in_one_line(tmp_path: Path, name: str, value: Any, reason: str) -> None:
    outputs.write_panels(tmp_path, rows())
    path = tmp_path / panels.FILE
    table = pq.read_table(path)
    broken = table.drop_columns([name])
    if value:
        broken = broken.append_column(name, pa.array(value, table.schema.field(name).type))
    pq.write_table(broken, path)
    with pytest.raises(Refusal, match=r"shown\.parquet holds no images to show .*: run its evaluate stage again") as no:
        panels.read(tmp_path)
    assert reason in str(no.value)
    assert "\n" not in str(no.value)


def test_other_sizes_a_file_cut_short_and_one_without_its_classes_are_refused(tmp_path: Path) -> None:
    assert panels.read(tmp_path) == [], "no file shows nothing"
    outputs.write_panels(tmp_path, rows())
    path = tmp_path / panels.FILE
    content, table = path.read_bytes(), pq.read_table(path)
    small = outputs.panels_table([row._replace(truth=row.truth[1:], predicted=row.predicted[1:]) for row in rows()])
    for broken in (content[: len(content) // 2], table.replace_schema_metadata(None), small):
        path.write_bytes(broken) if isinstance(broken, bytes) else pq.write_table(broken, path)
        with pytest.raises(Refusal, match="run its evaluate stage again"):
            panels.read(tmp_path)
