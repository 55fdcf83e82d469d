"""The CI host: GitHub Actions or GitLab CI, known by their variables, or a desk, where everything is printed."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any
from urllib.parse import quote

import click

from pipeline.core.types import Refusal
from pipeline.tracking.git import asked

MOST = 65_000  # characters of a comment; GitHub takes 65,536
REMEDY = {
    "gh": "install it (https://cli.github.com), give it GH_TOKEN, and the job `permissions: pull-requests: write`",
    "glab": "install it (https://docs.gitlab.com/cli), give it GITLAB_HOST, and GITLAB_TOKEN with the scope `api`",
}


@dataclass(frozen=True, kw_only=True)
class Forge:
    """``page`` is this run's page, where its artefacts are; what later jobs read is appended to the file ``outputs``.

    The command ``cli`` asks the host's REST API: ``requests`` lists the branch's open requests, each with its
    ``number``; ``comments`` are those of one request, and ``change`` is the method that replaces one ``comment``.
    """

    branch: str
    page: str = ""
    outputs: str = ""
    summary: str = ""
    cli: str = ""
    requests: str = ""
    number: str = ""
    comments: str = ""
    comment: str = ""
    change: str = ""

    def tell(self, name: str, value: str) -> None:
        """Hand one line to the jobs that follow."""
        click.echo(f"{name}={value}")
        _append(self.outputs, f"{name}={value}\n")

    def leave(self, mark: str, body: str) -> None:
        """Put ``body`` (Markdown) into the request's one comment with ``mark``, or print it and say why on stderr."""
        _append(self.summary, f"{body}\n")
        try:
            self._leave(f"<!-- fcn:{mark} -->", body)
        except (Refusal, ValueError) as reason:  # or what it answered is no JSON
            click.echo(body)
            click.echo(f"no comment: {reason}", err=True)

    def _leave(self, mark: str, body: str) -> None:
        if not self.cli:
            raise Refusal("no CI host is known here; in its jobs `gh` or `glab` leaves one")
        if not (numbers := [row[self.number] for row in self._api(self.requests) if self.number in row]):
            raise Refusal(f"{self.branch} has no open request")
        number = numbers[0]
        path, text = self.comments.format(number=number), f"{mark}\n{body}"
        if len(text) > MOST:
            text = text[:MOST].rpartition("\n")[0] + "\n\n*Cut here: a comment takes no more.*"
        for row in self._api(f"{path}?per_page=100", "--paginate"):
            if str(row.get("body")).startswith(mark):
                with suppress(Refusal):  # somebody else's comment may begin like ours
                    one = self.comment.format(number=number, id=row["id"])
                    self._api(one, "--method", self.change, text=text)
                    return
        self._api(path, "--method", "POST", text=text)

    def _api(self, path: str, *options: str, text: str | None = None) -> list[dict[str, Any]]:
        """The rows that the host answers; ``text`` becomes the field ``body``. Raises Refusal."""
        if not which(self.cli):
            raise Refusal(f"{self.cli} is not here: {REMEDY[self.cli]}")
        command = [self.cli, "api", path, *options, *(() if text is None else ("--field", "body=@-"))]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, encoding="utf-8")
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
            raise Refusal(f"{self.cli} failed ({said[0].strip()}): {REMEDY[self.cli]}")
        return list(_rows(done.stdout))


def forge(environ: Mapping[str, str]) -> Forge:
    """The host that ``environ`` tells of by its predefined variables."""
    if environ.get("GITHUB_ACTIONS") == "true":
        branch, repository = environ["GITHUB_REF_NAME"], environ["GITHUB_REPOSITORY"]
        place, owner = f"repos/{repository}", repository.partition("/")[0]
        own = re.fullmatch(r"refs/pull/(\d+)/\w+", environ.get("GITHUB_REF", ""))  # a fork's branch may have any name
        return Forge(
            branch=branch,
            page=f"{environ.get('GITHUB_SERVER_URL')}/{repository}/actions/runs/{environ.get('GITHUB_RUN_ID')}",
            outputs=environ.get("GITHUB_OUTPUT", ""),
            summary=environ.get("GITHUB_STEP_SUMMARY", ""),
            cli="gh",
            requests=f"{place}/pulls" + (f"/{own[1]}" if own else f"?state=open&head={quote(f'{owner}:{branch}', '')}"),
            number="number",
            comments=f"{place}/issues/{{number}}/comments",
            comment=f"{place}/issues/comments/{{id}}",
            change="PATCH",
        )
    if environ.get("GITLAB_CI") == "true":
        branch, place = environ["CI_COMMIT_REF_NAME"], f"projects/{environ['CI_PROJECT_ID']}/merge_requests"
        return Forge(
            branch=branch,
            page=environ.get("CI_PIPELINE_URL", ""),
            outputs="ci.env",  # .gitlab-ci.yml names it under `artifacts: reports: dotenv`
            cli="glab",
            requests=f"{place}?state=opened&source_branch={quote(branch, '')}",
            number="iid",
            comments=f"{place}/{{number}}/notes",
            comment=f"{place}/{{number}}/notes/{{id}}",
            change="PUT",
        )
    return Forge(branch=asked(Path.cwd(), "rev-parse", "--abbrev-ref", "HEAD"))


def _append(path: str, text: str) -> None:
    with Path(path or os.devnull).open("a", encoding="utf-8") as file:
        file.write(text)


def _rows(text: str) -> Iterator[dict[str, Any]]:
    """Of every page: a list, or one object. Pages follow one another, as `--paginate` prints them."""
    while text := text.strip():
        page, end = json.JSONDecoder().raw_decode(text)
        text = text[end:]
        yield from page if isinstance(page, list) else [page]
