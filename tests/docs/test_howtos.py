"""docs/dataset.md, backbone.md, stage.md and own-data.md work when a person does what they say, and nothing else."""

import shutil
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from tests.closure import ROOT
from tests.docs import pages

PAGES = ("dataset.md", "backbone.md", "stage.md")


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Future[None]]:
    """Each page is followed in a copy of one small project that ran; all at once, for most of a stage is one core's."""
    project = pages.small(tmp_path_factory.mktemp("project") / "fcn")
    copies = {page: shutil.copytree(project, project.parent / page, symlinks=True) for page in PAGES}
    with ThreadPoolExecutor() as pool:
        return {page: pool.submit(pages.follow, page, copy) for page, copy in copies.items()}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_whoever_follows_the_page_gets_what_it_shows(followed: dict[str, Future[None]], page: str) -> None:
    followed[page].result()


@pytest.mark.parametrize("page", PAGES)
def test_code_on_a_page_is_as_clean_as_ours(page: str) -> None:
    files = [block for block in pages.blocks(page) if block.path.endswith(".py")]
    assert files
    for file in files:
        for command in (["check"], ["format", "--check"]):
            ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", file.path, "-"]
            done = subprocess.run(ruff, cwd=ROOT, input=file.text, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{file.path}: {done.stdout}{done.stderr}"


@pytest.mark.slow
def test_whoever_follows_the_page_gets_labelled_pictures_and_an_onnx_file(tmp_path: Path) -> None:
    pages.follow("own-data.md", root := pages.copied(tmp_path / "fcn"))
    scores = yaml.safe_load((root / "eval/leaves-fcn8s/metrics.json").read_text())["semantic"]
    assert scores["mean_iu"] > 0.7, "all soil would be 0.36"
    assert len([*(root / "labelled/semantic").glob("*.png")]) == 60
    assert (root / "leaves.onnx").stat().st_size > 100_000
