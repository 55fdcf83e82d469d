"""No net is scored on a photograph it learned from, and a renamed photograph is still the same one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.types import Refusal
from pipeline.leaks import leaks

IDS = {"coast": "train/a1 train/a2 val/b2 val/b3 test/c4", "other": "train/d4 train/d5"}  # the digit is the photograph


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    for key, ids in IDS.items():
        rows = [dict(zip(("split", "id"), each.split("/"), strict=True), sha256=each[-1]) for each in ids.split()]
        (tmp_path / key).mkdir()
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / key / "fingerprints.parquet")
    return tmp_path


def row(learned: str, scored: str) -> dict[str, Any]:
    groups = {"data": learned, "evaluate": scored}
    return {name: dict(zip(("shards", "split"), split.split("/"), strict=True)) for name, split in groups.items()}


def test_every_scored_split_is_held_against_every_other(reports: Path) -> None:
    leaks(reports, {"one": row("coast/train", "coast/test"), "two": row("other/train", "coast/val")}, reports / "out")
    assert json.loads((reports / "out").read_text()) == {
        "coast/test": {"coast/train": 0, "coast/val": 0, "other/train": 1},
        "coast/val": {"coast/test": 0, "coast/train": 1, "other/train": 0},
    }


@pytest.mark.parametrize(
    ("learned", "message"),
    [
        ("coast/train", "one trains on coast/train .* share 1 photographs: a2 .* is b2 of the other; leave them out"),
        ("coast/all", "one names coast/all, but the described splits are coast/train, coast/val, coast/test, other/"),
    ],
)
def test_a_photograph_under_another_name_and_an_unknown_split_are_refused(
    reports: Path, learned: str, message: str
) -> None:
    with pytest.raises(Refusal, match=message):
        leaks(reports, {"one": row(learned, "coast/val")}, reports / "out")
    assert not (reports / "out").exists()
