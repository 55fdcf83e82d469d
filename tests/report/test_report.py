"""The page shows all that evaluations left, asks for nothing from anywhere, and is the same bytes everywhere."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.types import Refusal
from pipeline.published.published import PUBLISHED
from pipeline.report import confusion, html, report
from pipeline.report.hist import Counts
from tests.closure import ROOT
from tests.report.world import RECIPES, evaluations

SECTIONS = [
    "Ours beside the published",
    "Learning curves",
    "Class by class",
    "Confusions",
    "The ladder close up",
    "Best, median, worst, and failure cases",
    "Boundaries and sizes",
    "What each stride allows",
    "What it takes",
    "Table by table",
]
OUTSIDE = """
import sys
from pathlib import Path
from pipeline.report import report
from tests.report.world import RECIPES
root = Path(sys.argv[1])
report.write(root / "eval", root / "bounds", Path("results"), "miniature", RECIPES)
"""


class Tags(HTMLParser):
    """Every tag's name and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with eval/, bounds/ and the results/ of both."""
    root = tmp_path_factory.mktemp("report")
    write(root)
    return root


def write(root: Path) -> None:
    if not (root / "eval").is_dir():
        evaluations(root)
    report.write(root / "eval", root / "bounds", root / "results", "miniature", RECIPES)


def headings(root: Path) -> list[str]:
    return re.findall(r"^## (.+)$", (root / "results/report.md").read_text(), re.MULTILINE)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_page_has_every_section_and_every_published_row(world: Path) -> None:
    text = (world / "results/report.md").read_text()
    page = (world / "results/report.html").read_text()
    assert headings(world) == SECTIONS
    assert re.findall(r'<li><a href="#[\w-]+">(.+)</a></li>', page) == SECTIONS
    for row in PUBLISHED:
        assert f"| {row.net} | {row.recipe or '–'} |" in text
        assert f"<td>{row.net}</td>" in page
    assert text.count("figures/") == len(files(world / "results/figures")), "no picture is there in vain"


def test_the_page_asks_for_nothing_from_anywhere_and_every_picture_says_what_it_shows(world: Path) -> None:
    page = (world / "results/report.html").read_text()
    tags = Tags(page).found
    pictures = [attributes for tag, attributes in tags if tag == "img"]
    assert len(pictures) == len(files(world / "results/figures"))
    assert all(picture["alt"] and str(picture["src"]).startswith("data:image/") for picture in pictures)
    assert not {tag for tag, _ in tags} & {"script", "iframe", "object", "embed", "form", "b"}
    assert [at["href"] for tag, at in tags if tag == "link"] == ["data:,"]
    assert all(str(at["href"]).startswith("#") for tag, at in tags if tag == "a")
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    drawn = [base64.b64decode(str(at["src"]).partition(",")[2]) for at in pictures if "svg" in str(at["src"])[:20]]
    for text in [*styles, *(svg.decode() for svg in drawn)]:
        assert not re.search(r"@import|<script|url\((?!#)", text)
        assert not re.search(r'href="(?!#|data:image/png)', text)
    assert "cat|&lt;b&gt;dog&lt;/b&gt;" in page, "a class's name is text, whatever it is"


def test_the_same_inputs_give_the_same_bytes_from_another_folder_with_other_settings(
    world: Path, tmp_path: Path
) -> None:
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 9\nfont.size: 20\nsvg.fonttype: none\n")
    environment = {
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "7",
        "TZ": "Asia/Tokyo",
        "LC_ALL": "C",
        "HOME": str(tmp_path),
    }
    subprocess.run([sys.executable, "-c", OUTSIDE, str(world)], cwd=tmp_path, env=environment, check=True)
    assert files(tmp_path / "results") == files(world / "results")


def test_what_evaluations_did_not_leave_has_no_section(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "eval", tmp_path / "eval")
    for path in (tmp_path / "eval").glob("*/*"):
        if path.name != "metrics.json":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    report.write(tmp_path / "eval", tmp_path / "none", tmp_path / "results", "miniature", {})
    assert headings(tmp_path) == [SECTIONS[0], SECTIONS[-1]]
    assert (tmp_path / "results/plots/trimap.csv").read_text() == "recipe,dataset,pixels,mean_iu\n"


def test_no_picture_is_read_back(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "eval", tmp_path / "eval", ignore=shutil.ignore_patterns("*.png"))
    report.write(tmp_path / "eval", world / "bounds", tmp_path / "results", "miniature", RECIPES)
    assert files(tmp_path / "results") == files(world / "results")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("curve.tsv", "iteration\tlr\n1\t2\n", "is no learning curve"),
        ("curve.tsv", "iteration\tloss\n", "has no rows"),
        ("hist.parquet", "no table", "holds no histogram"),
        ("images.tsv", "head\tid\n\t\n", "tells no scores"),
        ("limits.json", '{"semantic": {"trimap": {}}}', "holds no limits"),
        ("shown.parquet", "no table", "holds no images to show"),
    ],
)
def test_a_damaged_input_is_named_with_its_remedy_and_nothing_is_written(
    world: Path, tmp_path: Path, name: str, content: str, told: str
) -> None:
    shutil.copytree(world / "eval", tmp_path / "eval")
    (tmp_path / "eval/voc-fcn8s" / name).write_text(content)
    with pytest.raises(Refusal, match=rf"voc-fcn8s/{re.escape(name)} {told}[^\n]*run its evaluate stage again"):
        report.write(tmp_path / "eval", world / "bounds", tmp_path / "results", "miniature", RECIPES)
    assert not files(tmp_path / "results")


def test_a_recipe_that_does_not_say_what_it_took_is_named(world: Path, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"params\.yaml: recipes\.voc-fcn8s lacks 'solver'"):
        report.write(world / "eval", world / "bounds", tmp_path, "miniature", {"voc-fcn8s": {}})


def test_a_page_whose_picture_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"a\.svg is not here.*dvc pull"):
        html.page("![a](figures/a.svg)", tmp_path)


def test_confusions_are_told_commonest_first_and_shares_are_of_the_true_class() -> None:
    counts = Counts(classes=["sky", "sea", "a_b"], pixels=np.array([[90, 10, 0], [30, 10, 0], [0, 0, 0]]))
    assert [line.replace("*", "") for line in confusion.commonest(counts)] == [
        "sea taken for sky: 75.0% of it, 21.4% of all pixels",
        "sky taken for sea: 10.0% of it, 7.1% of all pixels",
    ]
    assert np.round(counts.iu(), 3).tolist()[:2] == [0.692, 0.2]
    assert np.isnan(counts.iu()[2])
