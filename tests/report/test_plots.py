"""`dvc plots show` draws the tables beside the page, a line or a column for each recipe."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from pipeline.published.ours import read
from pipeline.report import plots
from tests.closure import ROOT
from tests.report.world import NETS, evaluations


def shown(root: Path) -> dict[str, Any]:
    """Vega-Lite by plot, of dvc.yaml's top-level plots in a project of its own."""
    shutil.copytree(ROOT / ".dvc/plots", root / ".dvc/plots")
    (root / ".dvc/config").write_text("[core]\n    analytics = false\n    no_scm = true\n")
    drawn = yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]
    (root / "dvc.yaml").write_text(yaml.safe_dump({"plots": drawn}))
    command = [sys.executable, "-m", "dvc", "plots", "show", "--json"]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert "errors" not in found
    contents = {name: each[0]["content"] for name, each in found["data"].items()}
    return {name: json.loads(text) if isinstance(text, str) else text for name, text in contents.items()}


def test_dvc_draws_loss_boundaries_and_classes_of_every_recipe(tmp_path: Path) -> None:
    (tmp_path / "results/plots").mkdir(parents=True)
    eval_ = evaluations(tmp_path)
    plots.write(eval_, read(eval_, "miniature"), tmp_path / "results/plots")
    charts = shown(tmp_path)
    assert charts.keys() == {f"results/plots/{name}.csv" for name in ("loss", "trimap", "iu")}
    for name, x, y in (("loss", "iteration", "loss"), ("trimap", "pixels", "mean_iu")):
        chart = charts[f"results/plots/{name}.csv"]
        assert [chart["spec"]["encoding"][axis]["field"] for axis in "xy"] == [x, y]
        assert {row["recipe"] for row in chart["data"]["values"]} == NETS.keys()
        assert "<DVC" not in json.dumps(chart), "every anchor was filled"
    classes = charts["results/plots/iu.csv"]
    assert classes["spec"]["encoding"]["color"]["field"] == "iu"
    assert len(classes["data"]["values"]) == len(NETS) * 2
