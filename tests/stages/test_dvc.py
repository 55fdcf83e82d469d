"""dvc.yaml's stages by address, as dvc.lock has them."""

from __future__ import annotations

from pathlib import Path

import yaml

from stages.shared import dvc


def test_stages_of_a_foreach_over_an_empty_or_nested_map(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("downloads: {}\nnested: {rows: {b: 1, a: 2}}\n")
    rows = {"one": "${downloads}", "two": "${nested.rows}"}
    stages = {name: {"foreach": each, "do": {"cmd": "x ${item}"}} for name, each in rows.items()}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {**stages, "four": {"cmd": "y"}}}, sort_keys=False))
    found = dvc.stages(tmp_path)
    assert [stage.address for stage in found.values()] == ["two@b", "two@a", "four"]
    assert found["two@a"].cmd == "x 2"
