"""Ours stands beside the published, by data set, by variant and table by table, one scale at a time."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from pipeline.core.types import Refusal
from pipeline.published.published import BOUNDS, PUBLISHED
from pipeline.report import table

COLUMNS = "recipe,head,images,classes,scored,pixel_acc,mean_acc,mean_iu,fw_iu,scale,published_pixel_acc,"
COLUMNS += "published_mean_acc,published_mean_iu,published_fw_iu,published_split,published_source"


def evaluation(
    root: Path,
    recipe: str,
    mean_iu: float,
    *,
    scale: str = "miniature",
    heads: tuple[str, ...] = ("semantic",),
    ids: str = "x",
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
    metrics = {**dict.fromkeys(heads, scores), "images": 12, "ids_sha256": ids, "scale": scale}
    (root / recipe / "metrics.json").write_text(json.dumps(metrics))


def bound(path: Path, ids: str) -> Path:
    scores = {"mean_iu": 0.875, "pixel_acc": 0.9}
    path.write_text(json.dumps({"semantic": {"32": scores, "8": scores}, "images": 12, "ids_sha256": ids}))
    return path


def page(tmp_path: Path, scale: str = "miniature", bounds: Path | None = None) -> str:
    table.write(tmp_path / "eval", tmp_path / "results", scale, bounds)
    return (tmp_path / "results/table.md").read_text()


def section(text: str, title: str) -> str:
    """From a heading to the next."""
    return text.split(f"# {title}\n", 1)[1].split("\n#", 1)[0]


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_ours_and_published_share_a_row_in_percent(tmp_path: Path) -> None:
    for recipe, score in {"voc-fcn8s": 0.62345678, "voc-fcn32s": 0.5, "voc-fcn32s-scratch": 0.1}.items():
        evaluation(tmp_path / "eval", recipe, score)
    text = page(tmp_path)
    rows = cells(tmp_path / "results/table.csv")
    assert (tmp_path / "results/table.csv").read_text().splitlines()[0] == COLUMNS
    assert [row["recipe"] for row in rows] == ["voc-fcn32s", "voc-fcn32s-scratch", "voc-fcn8s"]
    assert (rows[2]["mean_iu"], rows[2]["published_mean_iu"]) == ("62.3457", "65.5126")
    assert (rows[1]["mean_iu"], rows[1]["published_mean_iu"]) == ("10.0000", "")
    assert "Scale: **miniature**" in text
    assert "not comparable" in text
    voc = section(text, "PASCAL VOC")
    assert "| voc-fcn8s | 12 | 1 of 2 | 90.0 (91.2) | 70.0 (77.6) | 62.3 (65.5) | 80.0 (84.5) | seg11valid |" in voc
    assert "| voc-fcn32s-scratch | 12 | 1 of 2 | 90.0 (–) |" in voc


def test_every_data_set_and_head_has_its_own_table_and_its_own_reference(tmp_path: Path) -> None:
    evaluation(tmp_path / "eval", "siftflow-fcn16s", 0.4, heads=("geometric", "semantic"))
    evaluation(tmp_path / "eval", "nyud-fcn32s-color", 0.3)
    evaluation(tmp_path / "eval", "mine-fcn32s", 0.3)
    text = page(tmp_path)
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings[:4] == ["## NYUDv2", "## SIFT Flow, semantic head", "## SIFT Flow, geometric head", "## mine"]
    assert "90.0 (60.0)" in section(text, "NYUDv2")
    assert "90.0 (85.2)" in section(text, "SIFT Flow, semantic head")
    assert "90.0 (94.3)" in section(text, "SIFT Flow, geometric head")
    printed = [row["published_pixel_acc"] for row in cells(tmp_path / "results/table.csv")]
    assert printed == ["60.0000", "85.2000", "", "94.3000"]


def test_a_number_nobody_could_check_is_no_reference_but_is_told(tmp_path: Path) -> None:
    evaluation(tmp_path / "eval", "siftflow-fcn8s", 0.4)
    text = page(tmp_path)
    assert "| siftflow-fcn8s | 12 | 1 of 2 | 90.0 (–) | 70.0 (–) | 40.0 (–) | 80.0 (–) | – |" in text
    unverified = section(text, "PAMI 2016, unverified")
    assert "| FCN-8s | siftflow-fcn8s | semantic | SIFT Flow test | 85.9 | 90.0 | 53.9 | 70.0 |" in unverified


def test_variants_tell_what_they_change_and_what_was_printed_of_it(tmp_path: Path) -> None:
    scores = {"voc-fcn32s": 0.5, "voc-fcn32s-scratch": 0.1004, "voc-fcn32s-patch50": 0.4996, "voc-fcn32s-scores": 0.3}
    scores |= {"voc-fcn16s": 0.55, "voc-fcn8s-atonce": 0.6, "voc-fcn16s-googlenet": 0.4}
    scores |= {"nyud-fcn32s-color": 0.3, "nyud-fcn32s-color-d": 0.32, "nyud-fcn32s-color-hha": 0.35}
    for recipe, score in scores.items():
        evaluation(tmp_path / "eval", recipe, score)
    text = page(tmp_path)
    voc, nyud = section(text, "PASCAL VOC"), section(text, "NYUDv2")
    assert "| voc-fcn32s-scratch | voc-fcn32s | 10.0 | 50.0 | −40.0 | – | – |" in voc
    assert "| voc-fcn32s-patch50 | voc-fcn32s | 50.0 | 50.0 | +0.0 | – | – |" in voc
    assert "| voc-fcn32s-scores | voc-fcn32s | 30.0 | 50.0 | −20.0 | −14.0 | CVPR 2015, Table 2 |" in voc
    assert voc.count("voc-fcn8s-atonce") == 1, "its base was not evaluated"
    assert voc.count("voc-fcn16s-googlenet") == 1, "another backbone is no variant"
    assert (
        "| nyud-fcn32s-color-d | nyud-fcn32s-color | 32.0 | 30.0 | +2.0 | +1.3 | CVPR 2015, Table 4 |\n"
        "| nyud-fcn32s-color-hha | nyud-fcn32s-color | 35.0 | 30.0 | +5.0 | +3.6 | CVPR 2015, Table 4 |"
    ) in nyud


def test_table_by_table_every_printed_row_stands_with_ours_or_a_dash(tmp_path: Path) -> None:
    evaluation(tmp_path / "eval", "voc-fcn16s", 0.5)
    evaluation(tmp_path / "eval", "siftflow-fcn16s", 0.4, heads=("semantic", "geometric"))
    text = page(tmp_path)
    by_table = text.split("# Table by table\n")[1]
    assert "ours of scale **miniature**" in by_table
    second = section(text, "CVPR 2015, Table 2")
    assert "| FCN-16s | voc-fcn16s | seg11valid | 90.0 | 90.0 | 75.7 | 70.0 | 62.4 | 50.0 | 83.0 | 80.0 |" in second
    assert "| FCN-32s | voc-fcn32s | seg11valid | 89.1 | – | 73.3 | – | 59.4 | – | 81.4 | – |" in second
    fifth = section(text, "CVPR 2015, Table 5")
    assert "| Tighe et al. [33] | – | geometric | SIFT Flow test | 90.8 | – | – | – | – | – | – | – |" in fifth
    assert "| FCN-16s | siftflow-fcn16s | geometric | SIFT Flow test | 94.3 | 90.0 | – | 70.0 |" in fifth
    for row in PUBLISHED:
        assert f"| {row.net} | {row.recipe or '–'} |" in section(text, row.source)
    assert "| FCN-GoogLeNet | 59 | 22 | 6 | 907 | 32 |" in section(text, "CVPR 2015, Table 1")
    assert "SDS [16] ~50 s, FCN-8s ~175 ms" in section(text, "CVPR 2015, Table 3")


def test_appendix_a_takes_bounds_of_the_images_that_ours_were_scored_on(tmp_path: Path) -> None:
    evaluation(tmp_path / "eval", "voc-fcn16s", 0.5, ids="these")
    appendix = "arXiv:1411.4038v2, Appendix A"
    same = section(page(tmp_path, bounds=bound(tmp_path / "same.json", "these")), appendix)
    assert "| 32 | 86.1 | 87.5 |\n| 16 | 92.8 | – |\n| 8 | 96.4 | 87.5 |" in same
    others = page(tmp_path, bounds=bound(tmp_path / "other.json", "those"))
    assert others == page(tmp_path) == page(tmp_path, bounds=tmp_path / "none.json")
    for factor, mean_iu in BOUNDS.items():
        assert f"| {factor} | {mean_iu} | – |" in section(others, appendix)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(Refusal, match=r"other\.json holds no bounds"):
        page(tmp_path, bounds=tmp_path / "other.json")


def test_the_authors_weights_stand_beside_their_published_scores(tmp_path: Path) -> None:
    evaluation(tmp_path / "eval", "voc-fcn8s-released", 0.655126, scale="authors")
    evaluation(tmp_path / "eval", "voc-fcn8s-atonce-released", 0.653998, scale="authors")
    text = page(tmp_path, "authors")
    voc = section(text, "PASCAL VOC")
    assert "| voc-fcn8s-released | 12 | 1 of 2 | 90.0 (91.2) | 70.0 (77.6) | 65.5 (65.5) |" in voc
    source = "released weights, as scored by wkentaro/fcn"
    assert f"| voc-fcn8s-atonce-released | voc-fcn8s-released | 65.4 | 65.5 | −0.1 | −0.1 | {source} |" in voc
    assert "| FCN-8s | voc-fcn8s | seg11valid | 91.2 | 90.0 |" in section(text, source)


def test_evaluations_of_another_scale_are_left_out(tmp_path: Path) -> None:
    evaluation(tmp_path, "voc-fcn32s", 0.5, scale="paper")
    evaluation(tmp_path, "voc-fcn8s", 0.6)
    assert [row.recipe for row in table.read(tmp_path, "miniature")] == ["voc-fcn8s"]
    with pytest.raises(Refusal, match=r"no .*metrics.json of scale 'photos'"):
        table.read(tmp_path, "photos")


def test_a_damaged_evaluation_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    evaluation(tmp_path / "eval", "voc-fcn8s", 0.6)
    (tmp_path / "eval/voc-fcn8s/metrics.json").write_text('{"scale": "miniature", "semantic": {}}')
    with pytest.raises(Refusal, match=r"voc-fcn8s/metrics\.json is no evaluation"):
        table.write(tmp_path / "eval", tmp_path / "results", "miniature")
    assert not (tmp_path / "results").exists()


def test_the_same_evaluations_give_the_same_bytes(tmp_path: Path) -> None:
    recipes = ["voc-fcn32s", "voc-fcn32s-scratch", "voc-fcn16s", "nyud-fcn32s-color"]
    for out in ("a", "b"):
        for recipe in recipes if out == "a" else recipes[::-1]:
            evaluation(tmp_path / out / "eval", recipe, 1 / 3)
        table.write(tmp_path / out / "eval", tmp_path / out / "results", "miniature")
    for name in ("table.csv", "table.md"):
        assert (tmp_path / "a/results" / name).read_bytes() == (tmp_path / "b/results" / name).read_bytes()
