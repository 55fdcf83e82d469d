"""README.md is short, its table is what was committed, and what pages of docs/ name is there.

The table anew, after scores have changed: make repro 2>&1 | tee repro.log && python -m tests.docs.test_readme repro.log
"""

import csv
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.closure import ROOT

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
COST = re.compile(r"^\[train@(\S+)\] done in .*?(\d+) s of CPU", re.MULTILINE)
ROW = re.compile(r"^\| (\w+-fcn\S+(?: g)?) \|.*\| (\d*) \|\n", re.MULTILINE)


def rows(costs: Mapping[str, str]) -> str:
    """The table's rows by results/table.csv, and ``costs`` by recipe: a training's seconds of CPU."""
    found = ""
    with (ROOT / "results/table.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name = row["recipe"] + (" g" if row["head"] == "geometric" else "")
            scores = (f"{float(row[key]):.1f}" if row[key] else "–" for key in ("mean_iu", "published_mean_iu"))
            found += f"| {name} | {' | '.join(scores)} | {costs.get(name, '')} |\n"
    return found


def test_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


def test_the_table_is_what_was_committed() -> None:
    found = list(ROW.finditer(README.read_text(encoding="utf-8")))
    assert "".join(row[0] for row in found) == rows({row[1]: row[2] for row in found})


def test_the_tree_names_every_folder_of_the_library() -> None:
    tree = README.read_text(encoding="utf-8").partition("## The tree")[2]
    named = {name for line in re.findall(r"^      ((?:\w+/ )+)", tree, re.MULTILINE) for name in line.split()}
    folders = {f"{path.parent.name}/" for path in ROOT.glob("pipeline/*/*.py")}
    assert named - {"scale/", "study/", "recipe/"} == folders


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_short_lines_and_links_to_what_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    plain = text if page == README else re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    prose = [line for line in plain.splitlines() if page == README or not line.startswith(("|", "    ", "\t"))]
    assert not [line for line in prose if len(line) >= 110]
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert not [link for link in links if not (page.parent / link).exists()]


if __name__ == "__main__":
    text, log = README.read_text(encoding="utf-8"), Path(sys.argv[1]).read_text(encoding="utf-8")
    head = "|---|--:|--:|--:|\n"
    before, after = ROW.sub("", text).split(head)
    README.write_text(before + head + rows(dict(COST.findall(log))) + after, encoding="utf-8")
