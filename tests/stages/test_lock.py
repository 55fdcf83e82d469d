"""dvc.yaml's stages by address, as dvc.lock has them."""

from __future__ import annotations

from pathlib import Path

from stages.shared import dvc


def test_stages_of_a_foreach_over_an_empty_or_nested_map(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("downloads: {}\nnested: {rows: {b: 1, a: 2}}\n")
    (tmp_path / "dvc.yaml").write_text(
        'stages: {one: {foreach: "${downloads}"}, two: {foreach: "${nested.rows}"}, three: {foreach: [x, y]}, four: {}}'
    )
    assert list(dvc.stages(tmp_path)) == ["two@b", "two@a", "three@x", "three@y", "four"]
