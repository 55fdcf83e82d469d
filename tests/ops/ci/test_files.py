"""CI's two workflow files, and compose.yaml as far as it can be read: no host and no container runs here."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest
import yaml

from ops.ci.ci import main
from tests.closure import ROOT
from tests.ops.ci.test_results import sh
from tests.ops.ci.workflow import FILE

GITLAB = ROOT / ".gitlab-ci.yml"
GITHUB = yaml.safe_load(FILE.read_text())
JOBS = ("plan", "run", "report", "gate", "promote")


@pytest.mark.parametrize(
    "arguments",
    [
        ("vendor.github-workflows", ".github/workflows/retrain.yml"),
        ("vendor.github-workflows", ".github/workflows/test.yml"),
        ("vendor.gitlab-ci", "--data-transform", "gitlab-ci", ".gitlab-ci.yml"),
    ],
    ids=["retrain", "test", "gitlab"],
)
def test_the_file_is_valid_by_its_hosts_schema(arguments: tuple[str, ...]) -> None:
    assert "ok" in sh(ROOT, sys.executable, "-m", "check_jsonschema", "--builtin-schema", *arguments)


def commands(job: dict[str, Any]) -> list[str]:
    """Of fcn, in order; GitLab lists texts, GitHub steps."""
    lines = [step.get("run", "") if isinstance(step, dict) else step for step in job.get("steps", job.get("script"))]
    return [found for line in lines for found in re.findall(r"fcn ((?:ci )?\w+)", line)]


@pytest.mark.parametrize("name", JOBS)
def test_both_hosts_run_the_same_commands(name: str) -> None:
    gitlab = yaml.safe_load(GITLAB.read_text())[name]
    assert commands(GITHUB["jobs"][name]) == commands(gitlab) != []


def test_every_command_has_its_step_and_it_and_every_variable_its_line_in_the_docs() -> None:
    called = {command for job in GITHUB["jobs"].values() for command in commands(job)}
    assert {f"ci {name}" for name in main.commands} <= called
    page = (ROOT / "docs/ci.md").read_text()
    wanted = {f"fcn ci {name}" for name in main.commands}
    wanted |= set(re.findall(r"(?:vars|secrets)\.(\w+)", FILE.read_text()))
    assert [name for name in sorted(wanted) if f"`{name}`" not in page] == []


def test_a_step_is_the_first_process_and_no_text_that_people_give_stands_in_it() -> None:
    """Of a cancelled step Actions tells the first process alone; ``${{ inputs.overrides }}`` a shell would read."""
    steps = [step.get("run", "") for job in GITHUB["jobs"].values() for step in job["steps"]]
    assert [step for step in steps if "fcn" in step and not step.startswith("exec ")] == []
    assert [step for step in steps if "${{" in step] == []


def test_nothing_is_granted_that_no_job_uses() -> None:
    assert GITHUB["permissions"] == {"contents": "read"}
    granted = {name: job.get("permissions", {}) for name, job in GITHUB["jobs"].items()}
    comments = {"contents": "read", "pull-requests": "write"}
    assert granted == {"plan": comments, "run": {"contents": "write"}, "report": comments, "gate": {}, "promote": {}}
    assert all("timeout-minutes" in job for job in GITHUB["jobs"].values())


def test_who_comes_second_waits_and_stops_nobody() -> None:
    """Of a group without ``queue: max`` a third job would end the second, which waits."""
    gitlab = yaml.safe_load(GITLAB.read_text())
    assert GITHUB["concurrency"]["cancel-in-progress"] is False
    for name in ("run", "gate", "promote"):
        assert GITHUB["jobs"][name]["concurrency"] == {"group": "gpu", "queue": "max"}
        assert gitlab[name]["extends"] == ".gpu"
    assert gitlab[".gpu"]["resource_group"] == "gpu"
    assert gitlab["default"]["interruptible"] is False


def test_of_a_forks_request_only_the_plan_runs_without_a_secret() -> None:
    assert "pull_request_target" not in GITHUB[True]
    jobs = GITHUB["jobs"]
    assert sorted(name for name, job in jobs.items() if "secrets." in str(job)) == ["gate", "promote", "run"]
    assert (jobs["run"]["needs"], "event_name != 'pull_request'" in jobs["run"]["if"]) == ("plan", True)
    assert [name for name in jobs if name not in ("plan", "run") and "run" not in jobs[name]["needs"]] == []


TEAM = (ROOT / "compose.yaml").read_text()
SERVER: dict[str, Any] = yaml.safe_load(TEAM)
SERVICES: dict[str, Any] = SERVER["services"]
ONCE = {"schema", "bucket"}
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
    assert {name: wait["condition"] for name, wait in waits["server"].items()} == {
        "schema": "service_completed_successfully",
        "bucket": "service_completed_successfully",
        "database": "service_healthy",
        "files": "service_healthy",
    }
    assert waits["schema"] == {"database": {"condition": "service_healthy"}}
    assert waits["bucket"] == {"files": {"condition": "service_healthy"}}
    used = [mount.partition(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])]
    assert sorted(used) == sorted(SERVER["volumes"]) == ["database", "files"], "what must last"
    for name, service in SERVICES.items():
        assert ("healthcheck" in service) == (name not in ONCE), name
        assert ("restart" in service) == (name not in ONCE), name
