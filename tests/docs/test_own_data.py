"""docs/own-data.md leads from a folder of photographs to labelled pictures and an ONNX file, as it is written."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.docs import pages


@pytest.mark.slow
def test_whoever_follows_the_page_gets_labelled_pictures_and_an_onnx_file(tmp_path: Path) -> None:
    pages.follow("own-data.md", root := pages.copied(tmp_path / "fcn"))
    scores = yaml.safe_load((root / "eval/leaves-fcn8s/metrics.json").read_text())["semantic"]
    assert scores["mean_iu"] > 0.7, "all soil would be 0.36"
    assert len([*(root / "labelled/semantic").glob("*.png")]) == 60
    assert (root / "leaves.onnx").stat().st_size > 100_000
