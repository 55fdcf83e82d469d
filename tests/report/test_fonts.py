"""Pictures that enter dvc.lock are drawn with matplotlib's own fonts, and name by its index a class that they lack."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.core import types
from pipeline.core.types import LabelSpec, drawable
from pipeline.describe import pictures
from pipeline.describe.pictures import LETTERS
from pipeline.tracking import confusion
from tests.closure import ROOT


@pytest.mark.parametrize("module", ["pipeline.report.figures", "pipeline.describe.pictures"])
def test_no_font_of_the_machine_is_taken(module: str) -> None:
    code = f"""
from matplotlib import font_manager, get_data_path
other = font_manager.FontEntry("/usr/share/DejaVuSans.ttf", "DejaVu Sans", weight=400)
font_manager.fontManager.ttflist = [other]
import {module}
assert font_manager.findfont("DejaVu Sans").startswith(get_data_path())
assert all(font.fname.startswith(get_data_path()) for font in font_manager.fontManager.ttflist)
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, check=True)


NAMES = ["Straße", "猫", "café × ü", "犬 dog", "\u202fleaf\u00a0", "🌿", "$5$"]
DRAWN = ["Straße", "1", "café × ü", "3: dog", "\u202fleaf\u00a0", "5", "$5$"]


def test_a_class_whose_letters_are_missing_goes_by_its_index_and_that_is_told_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    types._tell.cache_clear()
    assert drawable(NAMES, LETTERS) == drawable(NAMES, LETTERS) == DRAWN
    assert caplog.messages == ["no font for 犬猫🌿: pictures name such classes by their index"]
    assert drawable(["犬 dog", "猫"], LETTERS, iter([7, 4])) == ["7: dog", "4"]
    monkeypatch.setattr(confusion, "findSystemFonts", lambda: [__file__])
    confusion._best.cache_clear()
    path, names = confusion.covering(["猫", "é"], [4, 2])
    assert (path.name, names) == ("DejaVuSans.ttf", ["4", "é"]), "a file that is no font is passed over"
    confusion.draw("x", ["$_$", "猫"], np.eye(2, dtype=np.int64)).canvas.draw()
    confusion._best.cache_clear()


def test_a_class_of_dollars_and_one_of_no_known_letter_are_drawn(tmp_path: Path) -> None:
    label = LabelSpec(classes=("$_$", "猫"), palette=((0, 0, 0), (9, 9, 9)))
    pictures.bars(tmp_path / "bars.png", "x", label, {"train": {"share": {"$_$": 0.5, "猫": 0.5}}})
    twin = LabelSpec(classes=("$_$", "1"), palette=label.palette)
    assert pictures._legend("x", label).tobytes() == pictures._legend("x", twin).tobytes(), "no box"
