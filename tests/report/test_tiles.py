"""Windows and shares are of indices: no colour of a class, white or another's, changes what the report says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.core.types import Color, LabelSpec
from pipeline.panels.panels import Pixels, Seen, Shown
from pipeline.report import tiles
from pipeline.report.figures import Figures
from pipeline.report.inputs import Outputs
from tests.report.test_page import ours

PLAIN: tuple[Color, ...] = ((0, 0, 0), (0, 128, 0), (9, 9, 9))
WHITE: tuple[Color, ...] = ((0, 0, 0), (255, 255, 255), (9, 9, 9))
TWINS: tuple[Color, ...] = ((0, 128, 0), (0, 128, 0), (9, 9, 9))


def row(truth: Pixels, predicted: Pixels, name: str = "a", palette: tuple[Color, ...] = PLAIN) -> Shown:
    label = LabelSpec(classes=("sky", "snow", "tree"), palette=palette)
    return Shown("00", "semantic", name, np.full((*truth.shape, 3), 90, np.uint8), truth, predicted, label)


def section(folder: Path, coarse: Shown, fine: Shown) -> str:
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
def test_a_share_of_78_percent_stays_78_percent_whatever_colours_the_classes_have(
    tmp_path: Path, palette: tuple[Color, ...]
) -> None:
    truth, fine = halves()
    coarse = np.zeros_like(truth)
    text = section(tmp_path, row(truth, coarse, palette=palette), row(truth, fine, palette=palette))
    window = tiles.best({"coarse": row(truth, coarse), "fine": row(truth, fine)})
    assert window is not None
    left, top, right, bottom = window.box
    assert text.splitlines()[-1] == f"|  |  | {(truth[top:bottom, left:right] == 0).mean():.0%} | 78% |"
    assert f"of 00-a, {left},{top}]" in text, "the window is the same in every palette"


def test_void_counts_nowhere_and_is_drawn_white(tmp_path: Path) -> None:
    truth, fine = halves()
    truth[fine != truth] = 255
    assert section(tmp_path, row(truth, np.zeros_like(truth)), row(truth, fine)).endswith("| 100% |")
    drawn = np.asarray(Image.open(tmp_path / "tiles/zoom-voc-fcn8s-semantic-1-label.png"))
    assert (drawn == 255).all(axis=2).mean() == 0.22


def test_nets_that_were_shown_other_images_are_not_compared(tmp_path: Path) -> None:
    truth, fine = halves()
    coarse = row(truth, np.zeros_like(truth))
    assert section(tmp_path, coarse, row(truth, fine))
    assert not section(tmp_path, coarse, row(truth, fine, "b"))
    assert not section(tmp_path, coarse, row(1 - truth, fine))


def test_a_score_stands_beside_its_image_for_every_head(tmp_path: Path) -> None:
    one, label = np.zeros((4, 6), np.uint8), LabelSpec(classes=("sky", "sea"), palette=((0, 0, 0), (0, 128, 0)))
    heads = {"semantic": label, "geometric": label}
    maps = dict.fromkeys(heads, one)
    rows = [*Seen("a", np.zeros((4, 6, 3), np.uint8), maps, maps).rows("best-1", heads)]
    images, nets = {"voc-fcn8s": {("semantic", "a"): 75.0}}, {"voc-fcn8s": rows}
    text = tiles.extremes(Outputs(ours({"voc-fcn8s": 50.0}), {}, {}, {}, images, nets, {}), Figures(tmp_path))
    assert "| **best** a: mean IU semantic 75.0 %, geometric – |" in text
    assert text.count("| ![image of a](figures/tiles/best-1-voc-fcn8s-") == len(heads)
