"""Overrides of params.yaml come in a variable, and a slip in it is refused before anything is written."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest

from ops.ci.run import OVERRIDES, override
from pipeline.core.types import Refusal
from tests.closure import ROOT


@pytest.mark.parametrize("text", ["", "scale=papr", "recipes.voc-fcn9s.solver.lr=1.0e-08", "lr=$(touch pwned)"])
def test_without_overrides_or_with_a_slip_params_stay(text: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "params.yaml").write_text("mine: 1\n")
    with pytest.raises(Refusal) if text else nullcontext():
        override(tmp_path, {OVERRIDES: text})
    assert (tmp_path / "params.yaml").read_text() == "mine: 1\n"
    assert not (tmp_path / "pwned").exists()
