"""The README's picture is drawn from what evaluations show."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ops import ladder
from tests.report.world import NETS, evaluations


def test_a_row_an_image_and_a_column_a_net_beside_image_and_label(tmp_path: Path) -> None:
    sheet = ladder.ladder(evaluations(tmp_path), (*NETS,))
    assert sheet.size == (4 * 196 - 4, 24 + 2 * 148)
    first = [sheet.getpixel((196 * column + 24 * 3 + 15, 100)) for column in range(4)]  # 5 px right of the edge
    assert first == [(90, 90, 90), (0, 128, 0), (0, 0, 0), (0, 128, 0)]


@pytest.mark.parametrize(
    ("content", "told"), [(None, "is missing: run dvc repro evaluate@voc-fcn8s"), ("no table", "holds no images")]
)
def test_what_cannot_be_drawn_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, told: str
) -> None:
    shown = evaluations(tmp_path) / "voc-fcn8s/shown.parquet"
    shown.unlink() if content is None else shown.write_text(content)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(ladder.main, ["out.png", *NETS])
    assert done.exit_code == 1
    assert done.output.startswith(f"Error: eval/voc-fcn8s/shown.parquet {told}")
    assert done.output.count("\n") == 1
