"""What a CI host knows of the run and takes from it: GitHub Actions, GitLab CI, or a desk, where nobody listens."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

import click

from ops._git import asked
from ops.ci._request import Comments, Host, Unheard
from pipeline.core.types import Refusal


class Forge:
    """``base`` is the branch to compare with, such as ``origin/main``, None where it is unknown.

    ``url`` is this job's page, empty where it has none; ``repository`` is ``owner/name`` on a host.
    """

    name: str
    branch: str
    commit: str
    base: str | None
    url: str
    repository: str
    alone = "the branch has no open request, or the job no token to ask with"

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ

    def outputs(self, **values: str) -> None:
        """Tell the steps or jobs that follow; on a desk, print."""
        for name, value in values.items():
            click.echo(f"{name}={value}")

    def login(self) -> dict[str, str]:
        """What git's environment lacks to push; nothing, where the host's own checkout left a login."""
        return {}

    def comment(self, mark: str, body: str) -> str:
        """Leave ``body`` (Markdown) on the open request of the branch, in the place of what ``mark`` left there before.

        Returns the comment's URL. Where there is no request, no token or no answer it is empty: the text went
        elsewhere, and stderr says where and why. Nothing is raised, for no comment decides anything.
        """
        went, reason = self._also(body), self.alone
        try:
            comments = self._comments()
            if comments is not None:
                return comments.leave(f"<!-- fcn:{mark} -->", body)
        except Unheard as unheard:
            reason = str(unheard)
        if not went:
            click.echo(body)
        click.echo(f"no comment ({reason}): the text is in {went or 'the output'}", err=True)
        return ""

    def raw(self, branch: str) -> str:
        """The URL under which pages show the files of a branch; empty where there is none."""
        return ""

    def _also(self, body: str) -> str:
        """Write ``body`` where it always goes, and name the place; empty: nowhere."""
        return ""

    def _comments(self) -> Comments | None:
        """Those of the branch's request; None where there is none or no way to ask. Raises Unheard."""
        return None


class Desk(Forge):
    """A laptop, or a runner of no host that is known here: git tells what it can, and everything is printed."""

    name = "desk"
    alone = "no CI host"

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        here = Path.cwd()
        self.branch = asked(here, "rev-parse", "--abbrev-ref", "HEAD")
        self.commit = asked(here, "rev-parse", "HEAD")
        self.base = asked(here, "rev-parse", "--abbrev-ref", "origin/HEAD") or None
        self.url, self.repository = "", here.name


class GitHub(Forge):
    """GitHub Actions; its variables: https://docs.github.com/en/actions/reference/workflows-and-actions/variables."""

    name = "github"

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        self.branch = environ.get("GITHUB_HEAD_REF") or environ.get("GITHUB_REF_NAME", "")
        self.commit = environ.get("GITHUB_SHA", "")
        self.repository = environ.get("GITHUB_REPOSITORY", "")
        base = environ.get("GITHUB_BASE_REF") or _default_branch(environ.get("GITHUB_EVENT_PATH", ""))
        self.base = f"origin/{base}" if base else None
        self._page = f"{environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{self.repository}"
        run = environ.get("GITHUB_RUN_ID")
        self.url = f"{self._page}/actions/runs/{run}" if run else ""

    def outputs(self, **values: str) -> None:
        if "GITHUB_OUTPUT" not in self.environ:
            return super().outputs(**values)
        with Path(self.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as file:
            for name, value in values.items():
                end = f"end-{secrets.token_hex(8)}"  # no value can end early and set another
                file.write(f"{name}<<{end}\n{value}\n{end}\n" if "\n" in value else f"{name}={value}\n")
        return None

    def raw(self, branch: str) -> str:
        return f"{self._page}/raw/{branch}"

    def _also(self, body: str) -> str:
        if "GITHUB_STEP_SUMMARY" not in self.environ:
            return ""
        with Path(self.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as file:
            file.write(f"{body}\n")
        return "the job's summary"

    def _comments(self) -> Comments | None:
        token = self.environ.get("GITHUB_TOKEN")
        if not token or not self.repository:
            return None
        host = Host(
            name="GitHub",
            api=f"{self.environ.get('GITHUB_API_URL', 'https://api.github.com')}/repos/{self.repository}",
            headers={"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"},
            remedy="the job needs `permissions: pull-requests: write`, which a fork's never has",
        )
        if (number := self._number(host)) is None:
            return None
        listed = f"issues/{number}/comments"
        return Comments(host=host, listed=listed, one="issues/comments", method="PATCH", limit=65_536)

    def _number(self, host: Host) -> str | None:
        """The pull request's; its own event names it, and a branch of that name may be a fork's."""
        if named := re.fullmatch(r"refs/pull/(\d+)/\w+", self.environ.get("GITHUB_REF", "")):
            return named[1]
        found = host.list("pulls", head=f"{self.repository.partition('/')[0]}:{self.branch}", state="open")
        return str(found[0]["number"]) if found else None


class GitLab(Forge):
    """GitLab CI; its variables: https://docs.gitlab.com/ci/variables/predefined_variables/."""

    name = "gitlab"

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        self.branch = environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME") or environ.get("CI_COMMIT_REF_NAME", "")
        self.commit = environ.get("CI_COMMIT_SHA", "")
        base = environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME") or environ.get("CI_DEFAULT_BRANCH")
        self.base = f"origin/{base}" if base else None
        self.url = environ.get("CI_JOB_URL", "")
        self.repository = environ.get("CI_PROJECT_PATH", "")

    def outputs(self, **values: str) -> None:
        """Append to $FCN_OUTPUTS (ci.env), which the job names under ``artifacts: reports: dotenv``.

        Raises Refusal for a value of several lines, which no dotenv file of GitLab's can hold.
        """
        if several := [name for name, value in values.items() if "\n" in value]:
            raise Refusal(f"output {several[0]} has several lines, which GitLab cannot pass on: join them")
        with Path(self.environ.get("FCN_OUTPUTS", "ci.env")).open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in values.items())

    def raw(self, branch: str) -> str:
        return f"{self.environ.get('CI_PROJECT_URL')}/-/raw/{branch}"

    def login(self) -> dict[str, str]:
        """A header in a variable, for `ps` shows commands: the token of a job itself may only read."""
        token, server = self.environ.get("FCN_GITLAB_TOKEN"), self.environ.get("CI_SERVER_URL")
        if not token or not server:
            return {}
        basic = base64.b64encode(f"oauth2:{token}".encode()).decode()
        key = f"http.{server}/.extraHeader"
        return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": key, "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}"}

    def _comments(self) -> Comments | None:
        token, project = self.environ.get("FCN_GITLAB_TOKEN"), self.environ.get("CI_PROJECT_ID")
        if not token or not project:
            return None
        host = Host(
            name="GitLab",
            api=f"{self.environ.get('CI_API_V4_URL', 'https://gitlab.com/api/v4')}/projects/{project}",
            headers={"PRIVATE-TOKEN": token},
            remedy="FCN_GITLAB_TOKEN needs the scope `api` and the role Reporter or more",
        )
        if (number := self.environ.get("CI_MERGE_REQUEST_IID") or self._number(host)) is None:
            return None
        request = f"merge_requests/{number}"
        page, notes = f"{self.environ.get('CI_PROJECT_URL')}/-/{request}", f"{request}/notes"
        return Comments(host=host, listed=notes, one=notes, method="PUT", limit=1_000_000, page=page)

    def _number(self, host: Host) -> str | None:
        found = host.list("merge_requests", source_branch=self.branch, state="opened")
        return str(found[0]["iid"]) if found else None


def forge(environ: Mapping[str, str]) -> Forge:
    """The host that ``environ`` tells of."""
    if environ.get("GITHUB_ACTIONS") == "true":
        return GitHub(environ)
    return GitLab(environ) if environ.get("GITLAB_CI") == "true" else Desk(environ)


def _default_branch(event: str) -> str:
    """The repository's, by the file that tells what started the workflow."""
    try:
        return str(json.loads(Path(event).read_bytes())["repository"]["default_branch"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
