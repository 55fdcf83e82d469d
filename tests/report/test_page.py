"""Ours stands beside the published, by data set, by variant and table by table."""

from __future__ import annotations

import csv

from pipeline.published import ladder
from pipeline.published.published import BOUNDS, PUBLISHED
from pipeline.report import page, report
from pipeline.report.inputs import Bounds, Ours, Outputs

COLUMNS = "recipe,head,images,classes,scored,pixel_acc,mean_acc,mean_iu,fw_iu,scale,published_pixel_acc,"
COLUMNS += "published_mean_acc,published_mean_iu,published_fw_iu,published_split,published_source"


def ours(scores: dict[str, float], *heads: str) -> list[Ours]:
    """One of two classes scored on 12 images, in ladder order; ``scores`` are mean IU in percent by recipe."""
    recipes = sorted(scores, key=ladder.place)
    rows = [(head, recipe) for head in heads or ("semantic",) for recipe in recipes]
    return [Ours(recipe, head, "these", 12, 2, 1, 90.0, 70.0, scores[recipe], 80.0) for head, recipe in rows]


def written(rows: list[Ours], scale: str = "miniature", bounds: Bounds | None = None) -> str:
    return page.page(Outputs(rows, {}, {}, {}, {}, {}, bounds or {}), scale)


def section(text: str, title: str) -> str:
    """From a heading to the next."""
    return text.split(f"# {title}\n", 1)[1].split("\n#", 1)[0]


def test_ours_and_published_share_a_row_in_percent() -> None:
    rows = ours({"voc-fcn8s": 62.345678, "voc-fcn32s": 50.0, "voc-fcn32s-scratch": 10.0})
    table = report.table(rows, "miniature")
    cells = [*csv.DictReader(table.splitlines())]
    assert table.splitlines()[0] == COLUMNS
    assert [row["recipe"] for row in cells] == ["voc-fcn32s", "voc-fcn32s-scratch", "voc-fcn8s"]
    assert (cells[2]["mean_iu"], cells[2]["published_mean_iu"]) == ("62.3457", "65.5126")
    assert (cells[1]["mean_iu"], cells[1]["published_mean_iu"]) == ("10.0000", "")
    text = written(rows)
    assert "Scale: **miniature**" in text and "not comparable" in text
    voc = section(text, "PASCAL VOC")
    assert "| voc-fcn8s | 12 | 1 of 2 | 90.0 (91.2) | 70.0 (77.6) | 62.3 (65.5) | 80.0 (84.5) | seg11valid |" in voc
    assert "| voc-fcn32s-scratch | 12 | 1 of 2 | 90.0 (–) |" in voc


def test_every_data_set_and_head_has_its_own_table_and_its_own_reference() -> None:
    rows = ours({"nyud-fcn32s-color": 30.0}) + ours({"siftflow-fcn16s": 40.0}, "semantic", "geometric")
    text = written(rows + ours({"mine-fcn32s": 30.0}))
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings[:4] == ["## NYUDv2", "## SIFT Flow, semantic head", "## SIFT Flow, geometric head", "## mine"]
    for heading, score in zip(headings[:4], ("60.0", "85.2", "94.3", "–"), strict=True):
        assert f"90.0 ({score})" in section(text, heading[3:])


def test_a_number_nobody_could_check_is_no_reference_but_is_shown() -> None:
    text = written(ours({"siftflow-fcn8s": 40.0}))
    assert "| siftflow-fcn8s | 12 | 1 of 2 | 90.0 (–) | 70.0 (–) | 40.0 (–) | 80.0 (–) | – |" in text
    unverified = section(text, "PAMI 2016, unverified")
    assert "| FCN-8s | siftflow-fcn8s | semantic | SIFT Flow test | 85.9 | 90.0 | 53.9 | 70.0 |" in unverified


def test_variants_say_what_they_change_and_what_was_printed_of_it() -> None:
    voc = {"voc-fcn32s": 50.0, "voc-fcn32s-scratch": 10.04, "voc-fcn32s-patch50": 49.96, "voc-fcn32s-scores": 30.0}
    text = section(written(ours({**voc, "voc-fcn8s-atonce": 60.0, "voc-fcn16s-googlenet": 40.0})), "PASCAL VOC")
    assert "| voc-fcn32s-scratch | voc-fcn32s | 10.0 | 50.0 | −40.0 | – | – |" in text
    assert "| voc-fcn32s-patch50 | voc-fcn32s | 50.0 | 50.0 | +0.0 | – | – |" in text
    assert "| voc-fcn32s-scores | voc-fcn32s | 30.0 | 50.0 | −20.0 | −14.0 | CVPR 2015, Table 2 |" in text
    assert text.count("voc-fcn8s-atonce") == 1, "its base was not evaluated"
    assert text.count("voc-fcn16s-googlenet") == 1, "another backbone is no variant"


def test_table_by_table_every_printed_row_stands_with_ours_or_a_dash() -> None:
    rows = ours({"voc-fcn16s": 50.0, "siftflow-fcn16s": 40.0}) + ours({"siftflow-fcn16s": 40.0}, "geometric")
    text = written(rows)
    second, fifth = section(text, "CVPR 2015, Table 2"), section(text, "CVPR 2015, Table 5")
    assert "| FCN-16s | voc-fcn16s | seg11valid | 90.0 | 90.0 | 75.7 | 70.0 | 62.4 | 50.0 | 83.0 | 80.0 |" in second
    assert "| FCN-32s | voc-fcn32s | seg11valid | 89.1 | – | 73.3 | – | 59.4 | – | 81.4 | – |" in second
    assert "| Tighe et al. [33] | – | geometric | SIFT Flow test | 90.8 | – | – | – | – | – | – | – |" in fifth
    assert "| FCN-16s | siftflow-fcn16s | geometric | SIFT Flow test | 94.3 | 90.0 | – | 70.0 |" in fifth
    for row in PUBLISHED:
        assert f"| {row.net} | {row.recipe or '–'} |" in section(text, row.source)
    assert "| FCN-GoogLeNet | 59 | 22 | 6 | 907 | 32 |" in section(text, "CVPR 2015, Table 1")
    assert "SDS [16] ~50 s, FCN-8s ~175 ms" in section(text, "CVPR 2015, Table 3")


def test_appendix_a_takes_bounds_of_the_images_that_ours_were_scored_on() -> None:
    rows, appendix = ours({"voc-fcn16s": 50.0}), "arXiv:1411.4038v2, Appendix A"
    scores = {32: 87.5, 8: 87.5}
    same = section(written(rows, bounds={("these", "semantic"): scores}), appendix)
    assert "| 32 | 86.1 | 87.5 |\n| 16 | 92.8 | – |\n| 8 | 96.4 | 87.5 |" in same
    others = written(rows, bounds={("those", "semantic"): scores})
    assert all(f"| {factor} | {mean_iu} | – |" in section(others, appendix) for factor, mean_iu in BOUNDS.items())


def test_the_authors_weights_stand_beside_their_published_scores() -> None:
    text = written(ours({"voc-fcn8s-released": 65.5126, "voc-fcn8s-atonce-released": 65.3998}), "authors")
    source = "released weights, as scored by wkentaro/fcn"
    assert "| voc-fcn8s-released | 12 | 1 of 2 | 90.0 (91.2) | 70.0 (77.6) | 65.5 (65.5) |" in text
    assert f"| voc-fcn8s-atonce-released | voc-fcn8s-released | 65.4 | 65.5 | −0.1 | −0.1 | {source} |" in text
    assert "| FCN-8s | voc-fcn8s | seg11valid | 91.2 | 90.0 |" in section(text, source)
