"""The page shows all that evaluations left, asks for nothing from anywhere, and is the same bytes everywhere."""

import base64
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from pipeline.core.types import Refusal
from pipeline.published.published import METRICS, PUBLISHED
from pipeline.report import charts, figures, page, report
from pipeline.report.figures import escaped
from pipeline.report.inputs import Counts, Outputs
from stages import report as stage
from tests.closure import ROOT
from tests.report.test_page import ours
from tests.report.world import NETS, RECIPES, ROW, evaluations

SECTIONS = re.findall(r"^## (.+)$", report.PAGE.read_text(), re.MULTILINE)
OUTSIDE = """
import sys; from pathlib import Path; from pipeline.report import report; from tests.report.world import RECIPES
report.write(Path("eval"), Path(sys.argv[1]), Path("results"), "miniature", RECIPES, RECIPES)
"""
OTHERS = json.dumps(  # another machine's scores beside this one's counts
    {"semantic": dict.fromkeys(METRICS, 0.5), "scale": "miniature", "images": 2, "ids_sha256": "x"}
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with eval/, bounds/ and the results/ of both."""
    root = tmp_path_factory.mktemp("report")
    report.write(evaluations(root), root / "bounds", root / "results", "miniature", RECIPES, RECIPES)
    return root


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_page_has_every_section_and_every_published_row(world: Path) -> None:
    text = (world / "results/report.md").read_text()
    page = (world / "results/report.html").read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS and len(SECTIONS) == 11
    assert re.findall(r'<li><a href="#[\w-]+">(.+)</a></li>', page) == SECTIONS
    for row in PUBLISHED:
        assert f"| {row.net} | {row.recipe or '–'} |" in text
        assert f"<td>{row.net}</td>" in page
    assert text.count("figures/") == len(files(world / "results/figures")), "no picture is there in vain"
    assert "| **best** 2007_1: mean IU 75.0 % |".replace("_", r"\_") in text
    assert "| **worst** 2007/1: mean IU – |" in text
    assert "* voc-fcn32s: best after 20 iterations with 75.0, 50.0 after the last, 30" in text
    assert f"| voc-fcn8s | vgg16-fcn | 1.0e-08 | 2 | {30} | {60} |" in text
    assert re.search(r"\| voc-fcn8s \| semantic \| 8 \| [\d.]+ \| 90.0 \| \d+% \|", text)


def test_the_page_asks_for_nothing_from_anywhere_and_every_picture_says_what_it_shows(world: Path) -> None:
    page = (world / "results/report.html").read_text()
    pictures = re.findall(r'<img src="data:image/(png|svg\+xml);base64,([^"]+)" alt="[^"]+"', page)
    assert len(pictures) == page.count("<img") == len(files(world / "results/figures"))
    assert not re.search(r"<(script|iframe|object|embed|form|b)\b", page)
    assert {link[0] for link in re.findall(r' href="([^"]*)"', page)} == {"#", "d"}
    assert page.count('href="d') == page.count('<link rel="icon" href="data:,">') == 1
    drawn = [base64.b64decode(content).decode() for kind, content in pictures if kind != "png"]
    for text in [*re.findall(r"<style>(.*?)</style>", page, re.DOTALL), *drawn]:
        assert not re.search(r'@import|<script|url\((?!#)|href="(?!#|data:image/png)', text)
    assert "cat|&lt;b&gt;dog&lt;/b&gt;" in page, "a class's name is text, whatever it is"


def test_no_folder_setting_or_picture_of_the_machine_changes_a_byte(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "eval", tmp_path / "eval", ignore=shutil.ignore_patterns("*.png"))
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 9\nfont.size: 20\nsvg.fonttype: none\n")
    settings = {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C", "HOME": str(tmp_path)}
    command = [sys.executable, "-c", OUTSIDE, str(world / "bounds")]
    subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT), **settings}, check=True)
    assert files(tmp_path / "results") == files(world / "results")


def test_what_evaluations_did_not_leave_has_no_section(world: Path, tmp_path: Path) -> None:
    for recipe in NETS:
        (tmp_path / "eval" / recipe).mkdir(parents=True)
        for name in ("classes.json", "metrics.json"):
            shutil.copy(world / "eval" / recipe / name, tmp_path / "eval" / recipe)
    report.write(tmp_path / "eval", tmp_path / "none", tmp_path, "miniature", {}, NETS)
    headings = re.findall(r"^## (.+)$", (tmp_path / "report.md").read_text(), re.MULTILINE)
    assert headings == [SECTIONS[0], SECTIONS[-1]]
    assert (tmp_path / "plots/trimap.csv").read_text() == "recipe,dataset,pixels,mean_iu\n"


@pytest.mark.parametrize(
    ("path", "content", "stage"),
    [
        ("eval/voc-fcn8s/history.tsv", "iteration\tlr\n1\t2\n", "train"),
        ("eval/voc-fcn8s/history.tsv", "iteration\tloss\n", "train"),
        ("eval/voc-fcn32s/milestones.tsv", "iteration\tmean_iu\n1\t2\n", "validate"),
        ("eval/voc-fcn8s/hist.parquet", "no table", "evaluate"),
        ("eval/voc-fcn8s/images.tsv", "head\tid\n\t\n", "evaluate"),
        ("eval/voc-fcn8s/limits.json", '{"semantic": {"trimap": {}}}', "evaluate"),
        ("eval/voc-fcn8s/metrics.json", '{"scale": "miniature", "semantic": {}}', "evaluate"),
        ("eval/voc-fcn8s/shown.parquet", "no table", "evaluate"),
        ("eval/voc-fcn32s/metrics.json", OTHERS, "evaluate"),
        ("bounds/voc-seg11valid.json", "{}", "bounds"),
    ],
)
def test_a_damaged_input_is_named_with_its_remedy_and_nothing_is_written(
    world: Path, tmp_path: Path, path: str, content: str, stage: str
) -> None:
    for name in ("eval", "bounds"):
        shutil.copytree(world / name, tmp_path / name)
    (tmp_path / path).write_text(content)
    with pytest.raises(Refusal, match=rf"{re.escape(path)} [^\n]*: run its {stage} stage again$"):
        report.write(tmp_path / "eval", tmp_path / "bounds", tmp_path / "results", "miniature", RECIPES, RECIPES)
    assert not (tmp_path / "results").exists()


def test_an_incomplete_recipe_and_a_missing_picture_are_named(world: Path, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"params\.yaml: recipes\.voc-fcn8s lacks 'solver'"):
        report.write(world / "eval", world / "bounds", tmp_path, "miniature", {"voc-fcn8s": {"net": {}}}, NETS)
    with pytest.raises(Refusal, match=r"a\.svg is not here.*dvc pull"):
        figures.as_html("![a](figures/a.svg)", tmp_path)


def test_evaluations_of_another_scale_or_of_no_recipe_are_left_out(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the stage: in eval/ lie nets that git has from another machine, in params.yaml no more."""
    monkeypatch.chdir(tmp_path)
    for name in ("voc-fcn8s", "voc-fcn4s", "mine-fcn32s"):
        shutil.copytree(world / "eval/voc-fcn8s", tmp_path / "eval" / name)
    other = tmp_path / "eval/voc-fcn4s/metrics.json"
    other.write_text(other.read_text().replace("miniature", "paper"))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    params = {"recipes": {"voc-fcn4s": ROW, "mine-fcn32s": ROW}, "imports": {}, "picks": {}, "scale": "miniature"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    result = CliRunner().invoke(stage.main, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    for path in ("table.csv", "plots/loss.csv", "plots/iu.csv", "plots/trimap.csv"):
        names = {line.split(",")[0] for line in (tmp_path / "results" / path).read_text().splitlines()[1:]}
        assert names == {"mine-fcn32s"}, path
    for path in ("table.md", "report.md"):
        assert not re.search(r"^\| voc-fcn(4|8)s \|", (tmp_path / "results" / path).read_text(), re.MULTILINE), path
    with pytest.raises(Refusal, match=r"no .*metrics.json of scale 'photos'"):
        report.write(tmp_path / "eval", tmp_path, tmp_path, "photos", RECIPES, NETS)


@pytest.mark.parametrize(
    ("hist", "line"),
    [
        ([[70, 0, 0], [20, 0, 0], [10, 0, 0]], "predicts one class only (sky, which 70.0% of the pixels are)"),
        ([[0, 0, 70], [0, 0, 20], [0, 0, 10]], "predicts one class only (a_b, which 10.0% of the pixels are)"),
        ([[7000, 1, 0], [2000, 1, 0], [998, 0, 0]], "predicts hardly more than one class (sky, which 70.0% of the "),
        ([[70, 0, 0], [19, 1, 0], [10, 0, 0]], None),
        ([[100, 0, 0], [0, 0, 0], [0, 0, 0]], None),  # there is nothing else to predict
        ([[9999, 0, 0], [0, 1, 0], [0, 0, 0]], None),  # there is hardly anything else
    ],
)
def test_a_net_that_predicts_one_class_only_is_told(tmp_path: Path, hist: list[list[int]], line: str | None) -> None:
    counts = {"voc-fcn8s": {"semantic": Counts(["sky", "sea", "a_b"], np.array(hist))}}
    text = page.beside(Outputs(ours({"voc-fcn8s": 50.0}), {}, counts, {}, {}, {}, {}), "##")
    assert (f"\n\n**voc-fcn8s {escaped(line)}" in text) if line else "predicts" not in text


def test_confusions_are_told_commonest_first_and_shares_are_of_the_true_class() -> None:
    counts = Counts(classes=["sky", "sea", "a_b"], pixels=np.array([[90, 10, 0], [30, 10, 0], [0, 0, 0]]))
    assert [line.replace("*", "") for line in charts.commonest(counts)] == [
        "sea taken for sky: 75.0% of it, 21.4% of all pixels",
        "sky taken for sea: 10.0% of it, 7.1% of all pixels",
    ]
    assert np.array_equal(np.round(counts.iu(), 1), [69.2, 20, np.nan], equal_nan=True)


def test_dvc_draws_loss_boundaries_and_classes_of_every_recipe(world: Path, tmp_path: Path) -> None:
    """`dvc plots show`, of dvc.yaml's top-level plots in a project of its own."""
    shutil.copytree(ROOT / ".dvc/plots", tmp_path / ".dvc/plots")
    shutil.copytree(world / "results/plots", tmp_path / "results/plots")
    (tmp_path / ".dvc/config").write_text("[core]\n    analytics = false\n    no_scm = true\n")
    plots = yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"plots": plots}))
    command = [sys.executable, "-m", "dvc", "plots", "show", "--json"]
    found = json.loads(subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout)
    assert "errors" not in found and "<DVC" not in str(found), "every anchor was filled"
    contents = {Path(name).stem: each[0]["content"] for name, each in found["data"].items()}
    drawn = {name: json.loads(text) if isinstance(text, str) else text for name, text in contents.items()}
    for name, x, y in (("loss", "iteration", "loss"), ("trimap", "pixels", "mean_iu")):
        assert [drawn[name]["spec"]["encoding"][axis]["field"] for axis in "xy"] == [x, y]
        assert {row["recipe"] for row in drawn[name]["data"]["values"]} == NETS.keys()
    assert drawn["iu"]["spec"]["encoding"]["color"]["field"] == "iu"
    assert len(drawn["iu"]["data"]["values"]) == len(NETS) * 2
