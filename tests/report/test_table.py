"""Ours stands beside the published in ladder order, one scale at a time."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from pipeline.report import table
from pipeline.types import Refusal

LADDER = [
    "voc-fcn32s",
    "voc-fcn32s-scratch",
    "voc-fcn16s",
    "voc-fcn8s",
    "voc-fcn8s-atonce",
    "voc-fcn-alexnet",
    "voc-fcn-googlenet",
    "voc-fcn-googlenet-scratch",
    "voc-fcn16s-googlenet",
    "nyud-fcn32s-color",
    "nyud-fcn32s-color-d",
    "nyud-fcn32s-hha",
    "nyud-fcn32s-color-hha",
    "siftflow-fcn32s",
    "siftflow-fcn16s",
    "mine-fcn32s",
    "something else",
]


def evaluation(
    root: Path, recipe: str, mean_iu: float, *, scale: str = "miniature", heads: tuple[str, ...] = ("semantic",)
) -> None:
    scores = {
        "pixel_acc": 0.9,
        "mean_acc": 0.7,
        "mean_iu": mean_iu,
        "fw_iu": 0.8,
        "iu": {"a": mean_iu, "b": None},
        "absent": ["b"],
    }
    (root / recipe).mkdir(parents=True)
    metrics = {**dict.fromkeys(heads, scores), "images": 12, "ids_sha256": "x", "scale": scale}
    (root / recipe / "metrics.json").write_text(json.dumps(metrics))


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_ladder_goes_from_coarse_to_fine_within_a_family() -> None:
    shuffled = LADDER[::2] + LADDER[1::2]
    assert sorted(shuffled, key=table.ladder) == LADDER


def test_ours_and_published_share_a_row_in_percent(tmp_path: Path) -> None:
    for recipe, score in {"voc-fcn8s": 0.62345678, "voc-fcn32s": 0.5, "voc-fcn32s-scratch": 0.1}.items():
        evaluation(tmp_path / "eval", recipe, score)
    table.write(tmp_path / "eval", tmp_path / "results", "miniature")
    rows = cells(tmp_path / "results/table.csv")
    assert [row["recipe"] for row in rows] == ["voc-fcn32s", "voc-fcn32s-scratch", "voc-fcn8s"]
    assert (rows[2]["mean_iu"], rows[2]["published_mean_iu"]) == ("62.3457", "65.5126")
    assert (rows[1]["mean_iu"], rows[1]["published_mean_iu"]) == ("10.0000", "")
    text = (tmp_path / "results/table.md").read_text()
    assert "Scale: **miniature**" in text
    assert "not comparable" in text
    assert "| voc-fcn8s | 12 | 1 of 2 | 90.0 (91.2) | 70.0 (77.6) | 62.3 (65.5) | 80.0 (84.5) | seg11valid |" in text
    assert "| voc-fcn32s-scratch | 12 | 1 of 2 | 90.0 (–) |" in text


def test_each_head_has_its_own_table_and_its_own_reference(tmp_path: Path) -> None:
    evaluation(tmp_path / "eval", "siftflow-fcn16s", 0.4, heads=("geometric", "semantic"))
    table.write(tmp_path / "eval", tmp_path / "results", "miniature")
    text = (tmp_path / "results/table.md").read_text()
    assert text.index("## semantic") < text.index("## geometric")
    assert [row["published_pixel_acc"] for row in cells(tmp_path / "results/table.csv")] == ["85.2000", "94.3000"]


def test_evaluations_of_another_scale_are_left_out(tmp_path: Path) -> None:
    evaluation(tmp_path, "voc-fcn32s", 0.5, scale="paper")
    evaluation(tmp_path, "voc-fcn8s", 0.6)
    assert [row.recipe for row in table.read(tmp_path, "miniature")] == ["voc-fcn8s"]
    with pytest.raises(Refusal, match=r"no .*metrics.json of scale 'photos'"):
        table.read(tmp_path, "photos")


def test_a_damaged_evaluation_is_named(tmp_path: Path) -> None:
    evaluation(tmp_path, "voc-fcn8s", 0.6)
    (tmp_path / "voc-fcn8s/metrics.json").write_text('{"scale": "miniature", "semantic": {}}')
    with pytest.raises(Refusal, match=r"voc-fcn8s/metrics\.json is no evaluation"):
        table.read(tmp_path, "miniature")


def test_the_same_evaluations_give_the_same_bytes(tmp_path: Path) -> None:
    for out in ("a", "b"):
        for recipe in LADDER[:4] if out == "a" else LADDER[:4][::-1]:
            evaluation(tmp_path / out / "eval", recipe, 1 / 3)
        table.write(tmp_path / out / "eval", tmp_path / out / "results", "miniature")
    for name in ("table.csv", "table.md"):
        assert (tmp_path / "a/results" / name).read_bytes() == (tmp_path / "b/results" / name).read_bytes()
