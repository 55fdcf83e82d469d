"""``fcn lineage`` and ``fcn report`` tell what a result came from and what it cost."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from PIL import Image

from docs import ladder
from ops import _journal as journal
from tests.launch import fcn
from tests.report.world import NETS, evaluations
from tests.stages.world import CHILDREN, PARAMS, enter, lock, locked, parents, publish, retrained, run, runs, told


@pytest.fixture
def world(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter(tmp_path, tables, monkeypatch)


def lineage(stage: str) -> list[str]:
    return fcn("lineage", stage, code=0).stdout.splitlines()


def test_a_tree_leads_down_to_the_archive_and_says_a_thing_once(world: Path) -> None:
    publish()
    train, evaluate = run(world, "train@voc-fcn8s"), run(world, "evaluate@voc-fcn8s")
    lines = lineage("evaluate@voc-fcn8s")
    fingerprint = evaluate.data.tags["dvc.inputs"][:8]
    assert lines[0].startswith(f"evaluate@voc-fcn8s {fingerprint}  run {evaluate.info.run_id}  FINISHED  unknown  20")
    assert lines[0].endswith("mean_iu/semantic 0.5")
    assert lines[1].startswith("├─ convert@voc ")
    assert lines[2].startswith("│  └─ miniature@voc ")
    assert lines[3] == "│     └─ data/raw/voc md5 a1.dir"
    assert lines[4].startswith(f"└─ train@voc-fcn8s {train.data.tags['dvc.inputs'][:8]}  run {train.info.run_id}")
    assert lines[4].endswith("loss 1.25")
    assert lines[5:] == [f"   └─ convert@voc {run(world, 'convert@voc').data.tags['dvc.inputs'][:8]} (above)"]


def test_what_was_fetched_is_told_by_its_address(world: Path) -> None:
    entries = locked(world)
    files = [{"name": "a.tar", "urls": ["https://a/a.tar", "https://b/a.tar"]}, {"name": "c", "urls": ["https://a/c"]}]
    entries["download@voc"] |= {"outs": entries.pop("miniature@voc")["outs"]}
    entries["download@voc"]["params"] = {"params.yaml": {"downloads.voc.files": files}}
    lock(world, entries)
    (world / "params.yaml").write_text(yaml.safe_dump({**PARAMS, "miniatures": {}, "downloads": {"voc": {}}}))
    last = lineage("convert@voc")[-3:]
    assert [line.split("─ ")[1] for line in last] == ["data/raw/voc md5 a1.dir", "https://a/a.tar", "https://a/c"]


def test_an_unknown_stage_is_refused_with_the_nearest(world: Path) -> None:
    said = fcn("lineage", "train@voc-fcn9s", code=1).output
    assert "dvc.lock has no stage train@voc-fcn9s: did you mean 'train@voc-fcn" in said


def test_an_empty_server_gets_a_run_per_stage_and_a_full_one_none(world: Path) -> None:
    assert lineage("train@voc-fcn8s")[0].endswith("  no run: fcn backfill")
    assert fcn("backfill", code=0).stdout.startswith(f"backfilled {CHILDREN} new runs, 0 completed, 0 adopted, ")
    assert len(runs(world, backfilled="true")) == CHILDREN + 1
    assert len(parents(world)) == 1
    assert lineage("train@voc-fcn8s")[0].endswith("backfilled")
    before = told(world)
    for said in (fcn("backfill", code=0).stdout, publish()):
        assert f" 0 new runs, 0 completed, 0 adopted, {CHILDREN} unchanged" in said
    assert told(world) == before
    retrained(world, 5e-9, "b9")
    lines = lineage("train@voc-fcn8s")
    assert [line.endswith("no run: fcn backfill") for line in lines] == [True, False, False, False]


@pytest.fixture
def paged(world: Path) -> Path:
    """``world`` with a page, whose training of voc-fcn8s ran twice, and once at another scale."""
    (world / "results/report.html").write_text("<p>page</p>")
    (world / "results/report.md").write_text("# Page\n\n## What it takes\n\n## Table by table\n\nlast\n")
    with (world / journal.NAME).open("w") as file:
        for seconds, scale, cpu in ((5, "", 1), (120, "", 200), (9000, "paper", 9000)):
            file.write(f"train@voc-fcn8s\t{seconds}\t{scale}\t00000000\t{cpu}\n")
    return world


def test_the_page_has_the_time_of_what_ran_here(paged: Path) -> None:
    before = {path: path.read_bytes() for path in (paged / "results").iterdir()}
    done = fcn("report", "--out", "shown/page.html")
    assert (done.exit_code, done.output) == (0, "shown/page.html: stages whose cost is known: 1\n")
    page = (paged / "shown/page.html").read_text()
    titles = [page.index(f">{title}</h2>") for title in ("What it takes", "What it cost here", "Table by table")]
    assert titles == sorted(titles)
    row = page.split("<td>train@voc-fcn8s</td>")[1].split("</tr>")[0]
    cells = [cell.split("</td>")[0] for cell in row.replace(' class="right"', "").split("<td>")[1:]]
    assert cells == ["2 min", "3 min"]
    assert {path: path.read_bytes() for path in (paged / "results").iterdir()} == before


def test_without_a_page_it_says_how_to_have_one_and_a_result_is_not_written_over(paged: Path) -> None:
    done = fcn("report", "--out", "results/report.html", code=1)
    assert done.output.count("\n") == 1
    assert "is among the results" in done.output
    assert (paged / "results/report.html").read_text() == "<p>page</p>"
    for name in ("report.md", "report.html"):
        (paged / "results" / name).unlink()
        done = fcn("report", code=1)
        assert done.output.startswith(f"Error: results/{name} is not here: fcn run report makes it, dvc pull results/")
        assert not (paged / "report.html").exists()


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
