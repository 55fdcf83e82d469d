"""The two workflow files: valid by the hosts' schemas, the same commands in both, nothing granted that no job uses."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from ops.ci.ci import main
from tests.closure import ROOT
from tests.ops.ci.workflow import FILE

GITLAB = ROOT / ".gitlab-ci.yml"
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
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def commands(job: dict[str, Any]) -> list[str]:
    """Of fcn, in order; GitLab lists texts, GitHub steps."""
    lines = [step.get("run", "") if isinstance(step, dict) else step for step in job.get("steps", job.get("script"))]
    return [found for line in lines for found in re.findall(r"fcn ((?:ci )?\w+)", line)]


@pytest.mark.parametrize("name", JOBS)
def test_both_hosts_run_the_same_commands(name: str) -> None:
    github, gitlab = yaml.safe_load(FILE.read_text())["jobs"][name], yaml.safe_load(GITLAB.read_text())[name]
    assert commands(github) == commands(gitlab) != []


def test_every_command_of_fcn_ci_has_its_step_and_its_line_in_the_docs() -> None:
    jobs = yaml.safe_load(FILE.read_text())["jobs"]
    called = {command for job in jobs.values() for command in commands(job)}
    assert {f"ci {name}" for name in main.commands} <= called
    page = (ROOT / "docs/ci.md").read_text()
    assert [name for name in main.commands if f"`fcn ci {name}`" not in page] == []


def test_a_step_that_may_be_cancelled_is_the_first_process() -> None:
    """Of a cancelled step Actions tells the first process alone: a shell between would leave the training running."""
    steps = [
        step["run"]
        for job in yaml.safe_load(FILE.read_text())["jobs"].values()
        for step in job["steps"]
        if "run" in step
    ]
    assert [step for step in steps if "fcn" in step and not step.startswith("exec ")] == []


def test_nothing_is_granted_that_no_job_uses() -> None:
    body = yaml.safe_load(FILE.read_text())
    assert body["permissions"] == {"contents": "read"}
    granted = {name: job.get("permissions", {}) for name, job in body["jobs"].items()}
    assert granted == {
        "plan": {"contents": "read", "pull-requests": "write"},
        "run": {"contents": "write"},
        "report": {"contents": "write", "pull-requests": "write"},
        "gate": {},
        "promote": {},
    }
    assert all("timeout-minutes" in job for job in body["jobs"].values())
    assert body["concurrency"]["cancel-in-progress"] is False


def test_every_variable_and_secret_is_explained() -> None:
    page = (ROOT / "docs/ci.md").read_text()
    wanted = set(re.findall(r"(?:vars|secrets)\.(\w+)", FILE.read_text()))
    assert [name for name in sorted(wanted) if f"`{name}`" not in page] == []


def test_no_text_that_people_give_stands_in_a_command() -> None:
    """``run: … ${{ inputs.overrides }}`` would have a shell read it."""
    steps = [step for job in yaml.safe_load(FILE.read_text())["jobs"].values() for step in job["steps"]]
    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []
