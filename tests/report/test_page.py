"""Ours stands beside the published, by data set, by variant and table by table."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.core.types import Color, LabelSpec
from pipeline.panels.panels import Pixels, Seen, Shown
from pipeline.published import ladder
from pipeline.published.published import BOUNDS, PUBLISHED
from pipeline.report import page, report, tiles
from pipeline.report.figures import Figures
from pipeline.report.inputs import Bounds, Ours, Outputs

COLUMNS = "recipe,head,images,classes,scored,pixel_acc,mean_acc,mean_iu,fw_iu,scale,published_pixel_acc,"
COLUMNS += "published_mean_acc,published_mean_iu,published_fw_iu,published_split,published_source"
PLAIN: tuple[Color, ...] = ((0, 0, 0), (0, 128, 0), (9, 9, 9))
WHITE: tuple[Color, ...] = ((0, 0, 0), (255, 255, 255), (9, 9, 9))
TWINS: tuple[Color, ...] = ((0, 128, 0), (0, 128, 0), (9, 9, 9))


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
    for heading, score in zip(headings[:4], ("61.8", "85.2", "94.3", "–"), strict=True):
        assert f"90.0 ({score})" in section(text, heading[3:])


def test_the_heavy_solvers_numbers_stand_beside_the_heavy_recipes() -> None:
    theirs = {"voc-fcn32s": 63.6, "nyud-fcn32s-color": 31.6, "nyud-fcn32s-color-d": 31.7, "nyud-fcn32s-hha": 25.2}
    theirs |= {"nyud-fcn32s-color-hha": 33.3, "nyud-fcn16s-color-hha": 34.0, "voc-fcn-googlenet": 42.5}
    lines = written(ours(dict.fromkeys(theirs, 40.0))).split("# Table by table")[0].splitlines()
    rows = {line.split()[1]: line for line in lines if " | 1 of 2 | " in line}
    assert rows.keys() == theirs.keys()
    for recipe, line in rows.items():
        source = (
            "PAMI 2016, unverified" if "nyud-fcn32s" in recipe else "released" if recipe == "voc-fcn32s" else "CVPR"
        )
        assert f" 40.0 ({theirs[recipe]}) |" in line and source in line.split(" | ")[-1]
    assert "| VOC2011 val, trained on its 1112 | CVPR 2015, Table 1 |" in rows["voc-fcn-googlenet"]


def test_a_source_says_how_its_nets_were_trained_and_a_number_from_memory_that_it_is_one() -> None:
    text = written(ours({"siftflow-fcn8s": 40.0}))
    assert "solver: 20 images a step, momentum 0.9." in section(text, "CVPR 2015, Table 4")
    assert "| 40.0 (41.2) | 80.0 (77.2) | SIFT Flow test | PAMI 2016, unverified |" in text
    unverified = section(text, "PAMI 2016, unverified")
    assert "| FCN-8s | siftflow-fcn8s | semantic | SIFT Flow test | 85.9 | 90.0 | 53.9 | 70.0 |" in unverified


def test_variants_say_what_they_change_and_what_was_printed_of_it() -> None:
    voc = {"voc-fcn32s": 50.0, "voc-fcn32s-scratch": 10.04, "voc-fcn32s-patch50": 49.96, "voc-fcn32s-scores": 30.0}
    text = section(written(ours({**voc, "voc-fcn8s-atonce": 60.0, "voc-fcn16s-googlenet": 40.0})), "PASCAL VOC")
    assert "| voc-fcn32s-scratch | voc-fcn32s | 10.0 | 50.0 | −40.0 | – | – |" in text
    assert "| voc-fcn32s-patch50 | voc-fcn32s | 50.0 | 50.0 | +0.0 | – | – |" in text
    assert "| voc-fcn32s-scores | voc-fcn32s | 30.0 | 50.0 | −20.0 | −17.0 | PAMI 2016, unverified |" in text
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


def row(truth: Pixels, predicted: Pixels, name: str = "a", palette: tuple[Color, ...] = PLAIN) -> Shown:
    label = LabelSpec(classes=("sky", "snow", "tree"), palette=palette)
    return Shown("00", "semantic", name, np.full((*truth.shape, 3), 90, np.uint8), truth, predicted, label)


def shown_section(folder: Path, coarse: Shown, fine: Shown) -> str:
    nets = {"voc-fcn32s": [coarse], "voc-fcn8s": [fine]}
    return tiles.close_up(Outputs(ours(dict.fromkeys(nets, 50.0)), {}, {}, {}, {}, nets, {}), Figures(folder))


def halves() -> tuple[Pixels, Pixels]:
    """30×30: class 0 beside class 1; a prediction that is right on 78 of 100 pixels of every window of 10×10."""
    truth = np.zeros((30, 30), np.uint8)
    truth[:, 15:] = 1
    rows, columns = np.indices(truth.shape) % 10
    return truth, np.where(10 * rows + columns < 22, 1 - truth, truth).astype(np.uint8)


def test_the_window_is_where_only_the_finest_net_follows_the_edge() -> None:
    label = np.zeros((90, 90), np.uint8)
    label[:, 60:] = 1
    coarse = label.copy()
    coarse[32:62, 50:60] = 1  # off by ten pixels, in its middle third
    coarse[:, :9] = 2  # a class that is not there is no matter of edges
    rungs = {"coarse": row(label, coarse), "fine": row(label, label)}
    window = tiles.best(rungs)
    assert window is not None
    left, top, right, bottom = window.box
    assert window.gain == 30 * 10
    assert (right - left, bottom - top) == (30, 30)
    assert left <= 50 and right >= 60 and top == 32
    assert tiles.best({"coarse": rungs["fine"], "fine": rungs["coarse"]}) is None, "nothing gained"


@pytest.mark.parametrize("palette", [PLAIN, WHITE, TWINS])
def test_a_share_is_the_same_whatever_colours_the_classes_have(tmp_path: Path, palette: tuple[Color, ...]) -> None:
    truth, fine = halves()
    coarse = np.zeros_like(truth)
    text = shown_section(tmp_path, row(truth, coarse, palette=palette), row(truth, fine, palette=palette))
    window = tiles.best({"coarse": row(truth, coarse), "fine": row(truth, fine)})
    assert window is not None
    left, top, right, bottom = window.box
    assert text.splitlines()[-1] == f"|  |  | {(truth[top:bottom, left:right] == 0).mean():.0%} | 78% |"
    assert f"of 00-a, {left},{top}]" in text, "the window is the same in every palette"


def test_void_counts_nowhere_and_is_drawn_white(tmp_path: Path) -> None:
    truth, fine = halves()
    truth[fine != truth] = 255
    assert shown_section(tmp_path, row(truth, np.zeros_like(truth)), row(truth, fine)).endswith("| 100% |")
    drawn = np.asarray(Image.open(tmp_path / "tiles/zoom-voc-fcn8s-semantic-1-label.png"))
    assert (drawn == 255).all(axis=2).mean() == 0.22


def test_nets_that_were_shown_other_images_are_not_compared(tmp_path: Path) -> None:
    truth, fine = halves()
    coarse = row(truth, np.zeros_like(truth))
    assert shown_section(tmp_path, coarse, row(truth, fine))
    assert not shown_section(tmp_path, coarse, row(truth, fine, "b"))
    assert not shown_section(tmp_path, coarse, row(1 - truth, fine))


def test_a_score_stands_beside_its_image_for_every_head(tmp_path: Path) -> None:
    one, label = np.zeros((4, 6), np.uint8), LabelSpec(classes=("sky", "sea"), palette=((0, 0, 0), (0, 128, 0)))
    heads = {"semantic": label, "geometric": label}
    maps = dict.fromkeys(heads, one)
    rows = [*Seen("a", np.zeros((4, 6, 3), np.uint8), maps, maps).rows("best-1", heads)]
    images, nets = {"voc-fcn8s": {("semantic", "a"): 75.0}}, {"voc-fcn8s": rows}
    text = tiles.extremes(Outputs(ours({"voc-fcn8s": 50.0}), {}, {}, {}, images, nets, {}), Figures(tmp_path))
    assert "| **best** a: mean IU semantic 75.0 %, geometric – |" in text
    assert text.count("| ![image of a](figures/tiles/best-1-voc-fcn8s-") == len(heads)
