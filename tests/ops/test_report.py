"""``fcn report`` sets beside the results what they cost here, in a file that is no result; and the README's picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from docs import ladder
from ops import _journal as journal
from ops import report
from tests.report.world import NETS, evaluations
from tests.stages.world import enter


@pytest.fixture
def world(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline with a page, whose training of voc-fcn8s ran twice, and once at another scale."""
    enter(tmp_path, tables, monkeypatch)
    (tmp_path / "results/report.html").write_text("<p>page</p>")
    (tmp_path / "results/report.md").write_text("# Page\n\n## What it takes\n\n## Table by table\n\nlast\n")
    with (tmp_path / journal.NAME).open("w") as file:
        for seconds, scale, cpu in ((5, "", 1), (120, "", 200), (9000, "paper", 9000)):
            file.write(f"train@voc-fcn8s\t{seconds}\t{scale}\t00000000\t{cpu}\n")
    return tmp_path


def invoke(*args: str) -> Result:
    return CliRunner().invoke(report.main, args)


def test_the_page_has_the_time_of_what_ran_here(world: Path) -> None:
    before = {path: path.read_bytes() for path in (world / "results").iterdir()}
    done = invoke("--out", "shown/page.html")
    assert (done.exit_code, done.output) == (0, "shown/page.html: stages whose cost is known: 1\n")
    page = (world / "shown/page.html").read_text()
    titles = [page.index(f">{title}</h2>") for title in ("What it takes", "What it cost here", "Table by table")]
    assert titles == sorted(titles)
    row = page.split("<td>train@voc-fcn8s</td>")[1].split("</tr>")[0]
    cells = [cell.split("</td>")[0] for cell in row.replace(' class="right"', "").split("<td>")[1:]]
    assert cells == ["2 min", "3 min"]
    assert {path: path.read_bytes() for path in (world / "results").iterdir()} == before


def test_without_a_page_it_says_how_to_have_one_and_a_result_is_not_written_over(world: Path) -> None:
    done = invoke("--out", "results/report.html")
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert "is among the results" in done.output
    assert (world / "results/report.html").read_text() == "<p>page</p>"
    for name in ("report.md", "report.html"):
        (world / "results" / name).unlink()
        done = invoke()
        assert done.exit_code == 1
        assert done.output.startswith(f"Error: results/{name} is not here: fcn run report makes it, dvc pull results/")
        assert not (world / "report.html").exists()


def test_the_readmes_picture_has_a_row_an_image_and_a_column_a_net(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = evaluations(tmp_path) / "voc-fcn8s/shown.parquet"
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(ladder.main, ["out.png", *NETS]).exit_code == 0
    with Image.open("out.png") as sheet:
        assert sheet.width == pytest.approx(4 * 192, rel=0.1)
        assert 192 < sheet.height < 2 * 192 + 20, "two rows of wide pictures, and titles"
    for content, reason in (("no table", "holds no images"), ("", "is missing: run dvc repro evaluate@voc-fcn8s")):
        shown.write_text(content) if content else shown.unlink()
        done = CliRunner().invoke(ladder.main, ["out.png", *NETS])
        assert (done.exit_code, done.output.count("\n")) == (1, 1)
        assert done.output.startswith(f"Error: eval/voc-fcn8s/shown.parquet {reason}")
