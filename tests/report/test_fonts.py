"""Pictures that enter dvc.lock are drawn with matplotlib's own fonts: a machine's DejaVu may be of another version."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
