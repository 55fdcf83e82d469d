"""CI's two hosts: their workflow files and compose.yaml as far as they can be read, and what both are told."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.ci._forge import MOST, Forge, forge
from ops.ci.ci import main
from tests.closure import ROOT
from tests.ops.ci.workflow import BODY, FILE

JOBS = BODY["jobs"]
GITLAB = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())


@pytest.mark.parametrize("name", ["retrain.yml", "test.yml", ".gitlab-ci.yml"])
def test_the_file_is_valid_by_its_hosts_schema(name: str) -> None:
    gitlab = ["vendor.gitlab-ci", "--data-transform", "gitlab-ci", name]
    arguments = gitlab if "gitlab" in name else ["vendor.github-workflows", f".github/workflows/{name}"]
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *arguments]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def commands(job: dict[str, Any]) -> list[str]:
    """Of fcn, in order; GitLab lists texts, GitHub steps."""
    lines = [step.get("run", "") if isinstance(step, dict) else step for step in job.get("steps", job.get("script"))]
    return [found for line in lines for found in re.findall(r"fcn ((?:ci )?\w+)", line)]


@pytest.mark.parametrize("name", JOBS)
def test_both_hosts_run_the_same_commands(name: str) -> None:
    assert commands(JOBS[name]) == commands(GITLAB[name]) != []


def test_every_command_has_its_step_and_it_and_every_variable_its_line_in_the_docs() -> None:
    called = {command for job in JOBS.values() for command in commands(job)}
    assert {f"ci {name}" for name in main.commands} <= called
    page = (ROOT / "docs/ci.md").read_text()
    wanted = {f"fcn ci {name}" for name in main.commands}
    wanted |= set(re.findall(r"(?:vars|secrets)\.(\w+)", FILE.read_text()))
    assert [name for name in sorted(wanted) if f"`{name}`" not in page] == []


def test_a_step_is_the_first_process_and_no_text_that_people_give_stands_in_it() -> None:
    """Of a cancelled step Actions tells the first process alone; ``${{ inputs.overrides }}`` a shell would read."""
    steps = [step.get("run", "") for job in JOBS.values() for step in job["steps"]]
    assert [step for step in steps if "fcn" in step and not step.startswith("exec ")] == []
    assert [step for step in steps if "${{" in step] == []


def test_nothing_is_granted_that_no_job_uses() -> None:
    assert BODY["permissions"] == {"contents": "read"}
    granted = {name: job.get("permissions", {}) for name, job in JOBS.items()}
    comments = {"contents": "read", "pull-requests": "write"}
    assert granted == {"plan": comments, "run": {"contents": "write"}, "report": comments, "gate": {}, "promote": {}}
    assert all("timeout-minutes" in job for job in JOBS.values())


def test_who_comes_second_waits_and_stops_nobody() -> None:
    """Of a group without ``queue: max`` a third job would end the second, which waits."""
    assert BODY["concurrency"]["cancel-in-progress"] is False
    for name in ("run", "gate", "promote"):
        assert JOBS[name]["concurrency"] == {"group": "gpu", "queue": "max"}
        assert GITLAB[name]["extends"] == ".gpu"
    assert GITLAB[".gpu"]["resource_group"] == "gpu"
    assert GITLAB["default"]["interruptible"] is False


def test_of_a_forks_request_only_the_plan_runs_without_a_secret() -> None:
    assert "pull_request_target" not in BODY[True]
    assert sorted(name for name, job in JOBS.items() if "secrets." in str(job)) == ["gate", "promote", "run"]
    assert (JOBS["run"]["needs"], "event_name != 'pull_request'" in JOBS["run"]["if"]) == ("plan", True)
    assert [name for name, job in JOBS.items() if name not in ("plan", "run") and "run" not in job["needs"]] == []


TEAM = (ROOT / "compose.yaml").read_text()
SERVER: dict[str, Any] = yaml.safe_load(TEAM)
SERVICES: dict[str, Any] = SERVER["services"]
SECRET = re.compile(r"PASSWORD|SECRET|ACCESS_KEY|accessKey|secretKey")


def test_no_password_is_written_down_and_nothing_starts_without_it() -> None:
    pairs = [pair for service in SERVICES.values() for pair in service.get("environment", {}).items()]
    pairs += re.findall(r'"(accessKey|secretKey)": "([^"]*)"', SERVER["configs"]["s3"]["content"])
    secret = [value for key, value in pairs if SECRET.search(key)]
    assert len(secret) > 5
    assert all(value.startswith("${") for value in secret)
    for name in ("POSTGRES_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY"):
        uses = re.findall(rf"\$\{{{name}[^}}]*\}}", TEAM)
        assert uses and all(use.startswith(f"${{{name}:?set it in .env") for use in uses)
        assert name in (ROOT / "docs/team.md").read_text()
    assert not re.search(r"://[^/\s]*:[^/\s]*@", TEAM), "no login in a URI"
    assert "/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_only_the_server_is_reached_and_by_default_from_this_machine() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports == {"server": ["${MLFLOW_ADDRESS:-127.0.0.1}:5000:5000"]}
    assert "--disable-security-middleware" not in TEAM
    hosts = SERVICES["server"]["environment"]["MLFLOW_SERVER_ALLOWED_HOSTS"]
    assert hosts == "${MLFLOW_HOSTS:-localhost:5000,127.0.0.1:5000}"


def test_images_are_pinned_and_mlflow_is_the_lock_files() -> None:
    for name, service in SERVICES.items():
        assert re.fullmatch(r"[\w/-]+:\d[\w.-]*\d[\w.-]*", service["image"]), name
    locked = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    installed = re.findall(r"([\w-]+)==([\w.]+)", SERVICES["server"]["build"]["dockerfile_inline"])
    assert {name for name, _ in installed} == {"mlflow", "psycopg2-binary", "boto3"}
    assert all(locked[name] == version for name, version in installed)
    assert SERVICES["server"]["image"] == f"fcn-mlflow:{locked['mlflow']}"


def test_the_server_waits_for_its_tables_its_bucket_and_healthy_stores() -> None:
    waits = {name: service.get("depends_on", {}) for name, service in SERVICES.items()}
    healthy, done = {"condition": "service_healthy"}, {"condition": "service_completed_successfully"}
    assert waits["server"] == {"schema": done, "bucket": done, "database": healthy, "files": healthy}
    assert (waits["schema"], waits["bucket"]) == ({"database": healthy}, {"files": healthy})
    used = [mount.partition(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])]
    assert sorted(used) == sorted(SERVER["volumes"]) == ["database", "files"], "what must last"
    lasting = SERVICES.keys() - {"schema", "bucket"}
    for key in ("healthcheck", "restart"):
        assert {name for name, service in SERVICES.items() if key in service} == lasting


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


class Cli:
    """A folder for PATH with both commands; what they remember lies in it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        for name in ("gh", "glab"):
            (folder / name).write_text(f"#!{sys.executable} -IS\n{SCRIPT}")
            (folder / name).chmod(0o755)
        self.folder = folder

    @property
    def comments(self) -> list[str]:
        store = self.folder / "comments.json"
        return [each["body"] for each in json.loads(store.read_text())] if store.exists() else []


def github(**more: str) -> Forge:
    known = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "ada/fcn", "GITHUB_REF_NAME": "exp/lr"}
    return forge(known | more)


def gitlab(**more: str) -> Forge:
    return forge({"GITLAB_CI": "true", "CI_PROJECT_ID": "5", "CI_COMMIT_REF_NAME": "exp/lr"} | more)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    found = Cli(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{found.folder}:{os.environ['PATH']}")
    return found


HOSTS = pytest.mark.parametrize("host", [github, gitlab])
Host = Callable[..., Forge]


@HOSTS
def test_a_mark_has_one_comment_changed_in_place_behind_pages_of_others_and_of_somebody_elses(
    cli: Cli, host: Host
) -> None:
    theirs = {"id": 3, "body": f"{MARK}\ntheirs", "foreign": True}
    others = [{"id": number, "body": f"word {number}"} for number in range(100, 330)]
    (cli.folder / "comments.json").write_text(json.dumps([theirs, *others]))
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
