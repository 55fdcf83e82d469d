"""What a CI host is told: lines for later jobs, and one comment for each mark, by `gh` and `glab`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ops.ci._forge import MOST, Forge, forge

MARK = "<!-- fcn:plan -->"
# One open request, number 7 of the branches main and exp/lr, and its comments. Answers are those of gh 2.23 and
# glab 1.53: a page is a JSON array, and ``--paginate`` prints one after another.
SCRIPT = """
import json, re, sys, urllib.parse
from pathlib import Path

here, name = Path(__file__).parent, Path(__file__).name
_, path, *options = sys.argv[1:]
url = urllib.parse.urlsplit(path)
query = dict(urllib.parse.parse_qsl(url.query))
method = options[options.index("--method") + 1] if "--method" in options else "GET"
with (here / "calls").open("a") as file:
    file.write(f"{name} {method} {path}\\n")
if (here / "refuses").exists():
    sys.exit(f"{name}: Resource not accessible by integration (HTTP 403)\\nmore")
store = here / "comments.json"
comments = json.loads(store.read_text()) if store.exists() else []
if url.path.endswith(("/pulls", "/merge_requests")):
    key, branch = ("number", query["head"].partition(":")[2]) if name == "gh" else ("iid", query["source_branch"])
    print(json.dumps([{key: 7}] if branch in ("main", "exp/lr") else []))
elif re.search(r"/pulls/[0-9]+$", url.path):
    print(json.dumps({"number": 7}))
elif method == "GET":
    pages = [comments[at : at + 100] for at in range(0, len(comments), 100)] or [[]]
    print("".join(map(json.dumps, pages if "--paginate" in options else pages[:1])))
else:
    assert options[options.index("--field") + 1] == "body=@-", options
    body = sys.stdin.read()
    if method == "POST":
        comments.append({"id": 1000 + len(comments), "body": body})
        written = comments[-1]
    else:
        assert method == ("PATCH" if name == "gh" else "PUT")
        written = next(each for each in comments if str(each["id"]) == url.path.rpartition("/")[2])
        if written.get("foreign"):
            sys.exit(f"{name}: 403 Forbidden")
        written["body"] = body
    store.write_text(json.dumps(comments))
    print(json.dumps(written))
"""


@dataclass(frozen=True)
class Cli:
    """A folder for PATH with both commands; what they remember lies in it."""

    folder: Path

    @property
    def comments(self) -> list[str]:
        store = self.folder / "comments.json"
        return [each["body"] for each in json.loads(store.read_text())] if store.exists() else []

    def remember(self, *comments: dict[str, object]) -> None:
        (self.folder / "comments.json").write_text(json.dumps(comments))


def stand_in(folder: Path) -> Cli:
    folder.mkdir()
    for name in ("gh", "glab"):
        (folder / name).write_text(f"#!{sys.executable} -IS\n{SCRIPT}")
        (folder / name).chmod(0o755)
    return Cli(folder)


def github(**more: str) -> Forge:
    known = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "ada/fcn", "GITHUB_REF_NAME": "exp/lr"}
    return forge(known | more)


def gitlab(**more: str) -> Forge:
    return forge({"GITLAB_CI": "true", "CI_PROJECT_ID": "5", "CI_COMMIT_REF_NAME": "exp/lr"} | more)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    found = stand_in(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{found.folder}:{os.environ['PATH']}")
    return found


HOSTS = pytest.mark.parametrize("host", [github, gitlab])
Host = Callable[..., Forge]


@HOSTS
def test_a_mark_has_one_comment_changed_in_place_behind_pages_of_others_and_of_somebody_elses(
    cli: Cli, host: Host
) -> None:
    theirs = {"id": 3, "body": f"{MARK}\ntheirs", "foreign": True}
    cli.remember(theirs, *({"id": number, "body": f"word {number}"} for number in range(100, 330)))
    host().leave("plan", "one\n")
    host().leave("plan", "two\n| ü |\n")
    host().leave("report", "three")
    assert cli.comments[0] == theirs["body"]
    assert cli.comments[231:] == [f"{MARK}\ntwo\n| ü |\n", "<!-- fcn:report -->\nthree"]


@pytest.mark.parametrize(("host", "name"), [(github, "gh"), (gitlab, "glab")])
def test_what_cannot_be_left_is_printed_with_the_reason(
    cli: Cli, host: Host, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    host(GITHUB_REF_NAME="x", CI_COMMIT_REF_NAME="x").leave("plan", "the **plan**")
    (cli.folder / "refuses").touch()
    host().leave("plan", "the **plan**")
    monkeypatch.setenv("PATH", "/nowhere")
    host().leave("plan", "the **plan**")
    said = capsys.readouterr()
    assert said.out == "the **plan**\n" * 3
    without, refused, absent = said.err.splitlines()
    assert without == "no comment: x has no open request"
    assert f"{name} failed ({name}: Resource not accessible by integration (HTTP 403)): install it" in refused
    assert absent.startswith(f"no comment: {name} is not here: install it (https://")


def test_a_forks_own_event_names_its_request_and_what_no_comment_takes_is_cut_at_a_line(cli: Cli) -> None:
    forks = github(GITHUB_REF="refs/pull/7/merge", GITHUB_REF_NAME="7/merge")
    forks.leave("plan", "".join(f"line {number}\n" for number in range(9000)))
    assert (cli.folder / "calls").read_text().startswith("gh GET repos/ada/fcn/pulls/7\n")
    (text,) = cli.comments
    assert len(text) <= MOST + 100
    assert text.endswith("\n\n*Cut here: a comment takes no more.*")


def test_later_jobs_the_summary_and_a_desk_are_told(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    here = github(GITHUB_OUTPUT=str(tmp_path / "output"), GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"))
    here.tell("run", "true")
    here.leave("plan", "one")
    assert ((tmp_path / "output").read_text(), (tmp_path / "summary.md").read_text()) == ("run=true\n", "one\n")
    gitlab().tell("run", "x")
    gitlab().tell("commit", "x")
    assert (tmp_path / "ci.env").read_text() == "run=x\ncommit=x\n"
    forge({}).leave("plan", "text")
    said = capsys.readouterr()
    assert said.out == "run=true\nrun=x\ncommit=x\ntext\n"
    assert "no CI host is known here" in said.err
