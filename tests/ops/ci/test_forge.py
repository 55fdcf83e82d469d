"""What a CI host is told: outputs, and one comment for each mark, before servers that answer as the APIs document."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ops.ci import _request
from ops.ci._forge import Desk, Forge, GitHub, GitLab, forge
from ops.ci._request import cut
from pipeline.core.types import Refusal

TOKEN = "s3cret"


@dataclass
class Api:
    """A host with one repository and one open request, number 7, of branch ``retrain``."""

    url: str = ""
    comments: list[dict[str, Any]] = field(default_factory=list)
    foreign: set[int] = field(default_factory=set)  # ids of comments that this token may not change
    fails: list[int] = field(default_factory=list)  # the statuses of the next answers
    fails_after: str = ""  # a method that does its work and then answers 500, once
    asked: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        if self.fails:
            return self.fails.pop(0), {"message": "no"}
        status, value = self._done(method, path, query, body)
        if self.fails_after == method:
            self.fails_after = ""
            return 500, {}
        return status, value

    def _done(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if path == "/repos/ada/fcn/pulls":
            return 200, [{"number": 7}] if query == {"head": "ada:retrain", "state": "open"} else []
        if path == "/projects/5/merge_requests":
            return 200, [{"iid": 7}] if query == {"source_branch": "retrain", "state": "opened"} else []
        if path in ("/repos/ada/fcn/issues/7/comments", "/projects/5/merge_requests/7/notes"):
            if method == "GET":
                start = (int(query["page"]) - 1) * int(query["per_page"])
                return 200, self.comments[start : start + int(query["per_page"])]
            self.comments.append({"id": 1000 + len(self.comments), "body": body["body"]})
            return 201, self._shown(path, self.comments[-1])
        one = re.fullmatch(r"/repos/ada/fcn/issues/comments/(\d+)|/projects/5/merge_requests/7/notes/(\d+)", path)
        found = [each for each in self.comments if one and str(each["id"]) in one.groups()]
        if not found or method != ("PATCH" if path.startswith("/repos") else "PUT"):
            return 404, {}
        if found[0]["id"] in self.foreign:
            return 403, {}
        found[0]["body"] = body["body"]
        return 200, self._shown(path, found[0])

    def _shown(self, path: str, comment: dict[str, Any]) -> dict[str, Any]:
        link = {"html_url": f"https://host/pull/7#{comment['id']}"} if path.startswith("/repos") else {}
        return comment | link

    def bodies(self, mark: str = "<!-- fcn:plan -->") -> list[str]:
        return [each["body"] for each in self.comments if each["body"].startswith(mark)]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setattr(_request, "PAUSES", (0.0, 0.0))
    host = Api()

    class Server(BaseHTTPRequestHandler):
        def _any(self) -> None:
            told = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(told.query).items()}
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")
            signs = {self.headers.get("Authorization"), self.headers.get("PRIVATE-TOKEN")}
            known = f"Bearer {TOKEN}" if told.path.startswith("/repos") else TOKEN
            status, value = host.answer(self.command, told.path, query, body) if known in signs else (401, {})
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_PUT = _any  # noqa: N815 (http.server's names)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        host.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield host
        server.shutdown()


def github(api: Api, **more: str) -> Forge:
    known = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": api.url,
        "GITHUB_REPOSITORY": "ada/fcn",
        "GITHUB_REF": "refs/heads/retrain",
        "GITHUB_REF_NAME": "retrain",
        "GITHUB_TOKEN": TOKEN,
    }
    return forge(known | more)


def gitlab(api: Api, **more: str) -> Forge:
    known = {
        "GITLAB_CI": "true",
        "CI_API_V4_URL": api.url,
        "CI_PROJECT_ID": "5",
        "CI_PROJECT_URL": "https://host/ada/fcn",
        "CI_COMMIT_REF_NAME": "retrain",
        "FCN_GITLAB_TOKEN": TOKEN,
    }
    return forge(known | more)


HOSTS = pytest.mark.parametrize("host", [github, gitlab])


@HOSTS
def test_a_mark_has_one_comment_which_is_changed_in_place_however_many_stand_before_it(api: Api, host: Any) -> None:
    api.comments = [{"id": number, "body": f"word {number}"} for number in range(230)]
    first = host(api).comment("plan", "one")
    second = host(api).comment("plan", "two")
    assert (
        first == second == f"https://host/{'pull/7#1230' if host is github else 'ada/fcn/-/merge_requests/7#note_1230'}"
    )
    assert api.bodies() == ["<!-- fcn:plan -->\ntwo"]
    assert host(api).comment("report", "three") != second
    assert len(api.comments) == 232


@HOSTS
def test_trouble_that_passes_is_waited_for_and_makes_no_second_comment(api: Api, host: Any) -> None:
    api.fails = [500, 503]
    assert host(api).comment("plan", "one")
    api.fails_after = "POST"
    assert host(api).comment("report", "two")
    assert api.bodies("<!-- fcn:report -->") == ["<!-- fcn:report -->\ntwo"]


@HOSTS
@pytest.mark.parametrize("status", [200, 302, 401, 403, 404, 500])
def test_a_host_that_will_not_is_a_warning_and_the_text_is_printed(
    api: Api, host: Any, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    api.fails = [status] * 3
    assert host(api).comment("plan", "the **plan**") == ""
    said = capsys.readouterr()
    assert said.out == "the **plan**\n"
    assert f"HTTP {status}" in said.err
    assert "the text is in the output" in said.err
    assert said.err.count("\n") == 1
    assert TOKEN not in said.err
    assert len(api.asked) == (3 if status == 500 else 1)
    assert ("needs" in said.err) == (status in (401, 403, 404))


@HOSTS
def test_somebody_elses_comment_with_the_mark_stays_and_ours_is_found_behind_it(api: Api, host: Any) -> None:
    api.comments, api.foreign = [{"id": 3, "body": "<!-- fcn:plan -->\ntheirs"}], {3}
    assert host(api).comment("plan", "one")
    assert host(api).comment("plan", "two")
    assert api.bodies() == ["<!-- fcn:plan -->\ntheirs", "<!-- fcn:plan -->\ntwo"]


@HOSTS
def test_without_request_or_token_the_text_is_printed_and_stderr_says_so(
    api: Api, host: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for other in ({"GITHUB_REF_NAME": "x", "CI_COMMIT_REF_NAME": "x"}, {"GITHUB_TOKEN": "", "FCN_GITLAB_TOKEN": ""}):
        assert host(api, **other).comment("plan", "text") == ""
        said = capsys.readouterr()
        assert said.out == "text\n"
        assert "no open request" in said.err
    assert api.comments == []


def test_a_dead_host_is_a_warning(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(_request, "PAUSES", (0.0, 0.0))
    assert github(Api(url="http://127.0.0.1:9")).comment("plan", "text") == ""
    assert "GitHub does not answer (ConnectionError)" in capsys.readouterr().err


def test_a_desk_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert forge({}).comment("plan", "text") == ""
    assert capsys.readouterr() == ("text\n", "no comment (no CI host): the text is in the output\n")


def test_the_summary_always_gets_the_text_on_github(
    api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = tmp_path / "summary.md"
    assert github(api, GITHUB_STEP_SUMMARY=str(summary)).comment("plan", "one")
    assert github(api, GITHUB_STEP_SUMMARY=str(summary), GITHUB_TOKEN="").comment("plan", "two") == ""
    assert summary.read_text() == "one\ntwo\n"
    said = capsys.readouterr()
    assert said.out == ""
    assert "the text is in the job's summary" in said.err


def test_the_requests_own_event_names_it_whatever_the_branch_is_called(api: Api) -> None:
    assert github(api, GITHUB_REF="refs/pull/7/merge", GITHUB_HEAD_REF="a-forks-branch").comment("plan", "one")
    assert gitlab(api, CI_MERGE_REQUEST_IID="7", CI_COMMIT_REF_NAME="x").comment("plan", "one")
    assert not [asked for asked in api.asked if asked.endswith(("/pulls", "/merge_requests"))]


def test_what_a_host_cannot_take_is_cut_at_a_line_and_its_folds_are_closed(api: Api) -> None:
    body = "<details>\n" + "".join(f"line {number}\n" for number in range(9000))
    assert github(api).comment("plan", body)
    (text,) = api.bodies()
    assert len(text) <= 65_536
    *_, last, closed, blank, note = text.split("\n")
    assert (closed, blank) == ("</details>", "")
    assert re.fullmatch(r"line \d+", last)
    assert note == "*Cut here: a comment has at most 65,536 characters.*"
    assert gitlab(api).comment("other", body)
    assert api.bodies("<!-- fcn:other -->") == [f"<!-- fcn:other -->\n{body}"]
    assert cut("x" * 200, 200) == "x" * 200


def test_outputs_reach_the_steps_that_follow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    several = "train@a\nEOF\nend-0=x"
    file = tmp_path / "output"
    GitHub({"GITHUB_OUTPUT": str(file)}).outputs(gpu="true", stages=several)
    lines = file.read_text().splitlines()
    assert lines[0] == "gpu=true"
    name, end = lines[1].split("<<")
    assert (name, lines[2:]) == ("stages", [*several.splitlines(), end])
    file = tmp_path / "ci.env"
    GitLab({"FCN_OUTPUTS": str(file)}).outputs(gpu="true")
    GitLab({"FCN_OUTPUTS": str(file)}).outputs(stages="a b")
    assert file.read_text() == "gpu=true\nstages=a b\n"
    with pytest.raises(Refusal, match="output stages has several lines"):
        GitLab({"FCN_OUTPUTS": str(file)}).outputs(stages=several)
    Desk({}).outputs(gpu="false")
    assert capsys.readouterr().out == "gpu=false\n"


def test_what_a_host_knows_of_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"repository": {"default_branch": "trunk"}}')
    here = github(Api(), GITHUB_EVENT_PATH=str(event), GITHUB_SHA="c0ffee", GITHUB_RUN_ID="9")
    assert (here.name, here.branch, here.commit, here.base) == ("github", "retrain", "c0ffee", "origin/trunk")
    assert here.url == "https://github.com/ada/fcn/actions/runs/9"
    assert github(Api(), GITHUB_BASE_REF="dev").base == "origin/dev"
    assert github(Api()).base is None
    here = gitlab(Api(), CI_DEFAULT_BRANCH="main", CI_JOB_URL="https://host/-/jobs/3", CI_PROJECT_PATH="ada/fcn")
    assert (here.name, here.branch, here.base) == ("gitlab", "retrain", "origin/main")
    assert (here.url, here.repository) == ("https://host/-/jobs/3", "ada/fcn")
    assert gitlab(Api(), CI_MERGE_REQUEST_TARGET_BRANCH_NAME="dev").base == "origin/dev"
    monkeypatch.chdir(tmp_path)
    assert (forge({}).name, forge({}).branch, forge({}).base) == ("desk", "", None)
    for command in ("init -qb main", "-c user.name=t -c user.email=t@t commit -q --allow-empty -m a"):
        subprocess.run(["git", *command.split()], check=True)
    assert (forge({}).branch, len(forge({}).commit), forge({}).url) == ("main", 40, "")
