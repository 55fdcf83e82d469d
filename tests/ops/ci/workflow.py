"""Run .github/workflows/retrain.yml as Actions does: events against paths, jobs by their needs and ifs, steps in order.

Of the expression language only what that file uses; anything else fails the test that meets it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from tests.closure import ROOT

FILE = ROOT / ".github/workflows/retrain.yml"


class Context(dict[str, Any]):
    """``github.event.pull_request.head``: what is not there is null, and null has any attribute."""

    def __getattr__(self, name: str) -> Any:
        value = self.get(name)
        return Context(value) if isinstance(value, Mapping) else Context() if value is None else value

    def __eq__(self, other: object) -> bool:
        return dict.__eq__(self, other) if self else other in (None, "", False) or other == {}

    def __str__(self) -> str:
        return json.dumps(self) if self else ""

    __hash__ = None  # type: ignore[assignment]


def evaluate(text: str, names: Mapping[str, Any]) -> Any:
    """The value of an expression between ``${{`` and ``}}``."""
    python = re.sub(r"!(?!=)", " not ", text.replace("&&", " and ").replace("||", " or ")).strip()
    functions = {"fromJSON": json.loads, "always": lambda: True, "true": True, "false": False}
    return eval(python, {"__builtins__": {}}, {**functions, **names})


def filled(text: object, names: Mapping[str, Any]) -> str:
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(evaluate(found[1], names) or ""), str(text))


@dataclass
class Event:
    """What starts a workflow: ``kind`` with ``inputs`` on ``branch`` of the bare repository ``origin``."""

    kind: str
    origin: Path
    branch: str = "main"
    inputs: dict[str, str] = field(default_factory=dict)
    changed: Sequence[str] = ()
    fork: bool = False


def triggers(event: Event) -> bool:
    """Whether the file's ``on`` lets the event start it."""
    asked = yaml.safe_load(FILE.read_text())[True]  # YAML 1.1 reads `on` as a truth
    if event.kind not in asked:
        return False
    paths = (asked[event.kind] or {}).get("paths") if isinstance(asked[event.kind], dict) else None
    return paths is None or any(matches(path, pattern) for path in event.changed for pattern in paths)


def matches(path: str, pattern: str) -> bool:
    """``**`` crosses folders, ``*`` does not (GitHub's filter patterns)."""
    regular = re.escape(pattern).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
    return re.fullmatch(regular, PurePosixPath(path).as_posix()) is not None


@dataclass
class Job:
    """What became of it: ``result`` is success, failure, cancelled or skipped; ``text`` all that its steps printed."""

    result: str
    outputs: dict[str, str] = field(default_factory=dict)
    text: str = ""


class Workflow:
    """``runner`` is the folder of a runner of one's own, which stays; other jobs have a new one each.

    ``environment`` is the machine's; ``variables`` and ``secrets`` are the repository's. ``cancel`` sees what a running
    step has printed, and the step is cancelled when it says so.
    """

    def __init__(
        self,
        event: Event,
        folder: Path,
        environment: Mapping[str, str],
        variables: Mapping[str, str] | None = None,
        runner: Path | None = None,
        prepare: Callable[[Path], None] = lambda clone: None,
    ) -> None:
        self.event, self.folder, self.environment, self.prepare = event, folder, environment, prepare
        self.runner = runner or folder / "runner"
        self.body = yaml.safe_load(FILE.read_text())
        head = git(event.origin, "rev-parse", event.branch)
        request = {"pull_request": {"head": {"repo": {"fork": event.fork}}}} if event.kind == "pull_request" else {}
        self.names = {
            "github": Context(
                event_name=event.kind,
                ref=f"refs/heads/{event.branch}",
                ref_name=event.branch,
                sha=head,
                token="token",
                event=Context(repository={"default_branch": "main"}, **request),
            ),
            "inputs": Context(event.inputs),
            "vars": Context(variables or {}),
            "secrets": Context(),
        }
        self.jobs: dict[str, Job] = {}

    def run(self, cancel: Callable[[str], bool] = lambda text: False) -> dict[str, Job]:
        for name, body in self.body["jobs"].items():
            needs = [body["needs"]] if isinstance(body.get("needs"), str) else body.get("needs", [])
            names = {
                **self.names,
                "needs": Context({need: vars(self.jobs[need]) for need in needs}),
                "steps": Context(),
            }
            ready = all(self.jobs[need].result == "success" for need in needs)
            if not ready or not evaluate(str(body.get("if", "true")), names):
                self.jobs[name] = Job("skipped")
                continue
            self.jobs[name] = self._job(name, body, names, cancel)
        return self.jobs

    def _job(self, name: str, body: dict[str, Any], names: dict[str, Any], cancel: Callable[[str], bool]) -> Job:
        own = "self-hosted" in filled(body["runs-on"], names)
        place = self.runner if own else self.folder / name
        job, steps = Job("success"), Context()
        names = {**names, "steps": steps}
        for step in body["steps"]:
            if job.result != "success" and "always()" not in str(step.get("if", "")):
                continue
            if "uses" in step:
                self._checkout(place, {key: filled(value, names) for key, value in step.get("with", {}).items()})
                continue
            outputs = self.folder / "outputs"
            outputs.write_text("")
            environment = {
                key: filled(value, names)
                for layer in (self.body.get("env", {}), body.get("env", {}), step.get("env", {}))
                for key, value in layer.items()
            }
            code, text = self._step(place, step["run"], {**environment, "GITHUB_OUTPUT": str(outputs)}, cancel)
            job.text += text
            if code:
                job.result = "cancelled" if cancel(job.text) else "failure"
            if "id" in step:
                told = dict(line.partition("=")[::2] for line in outputs.read_text().splitlines())
                steps[step["id"]] = {"outputs": told}
        job.outputs = {key: filled(value, names) for key, value in body.get("outputs", {}).items()}
        return job

    def _checkout(self, place: Path, options: Mapping[str, str]) -> None:
        if not place.exists():
            git(self.folder, "clone", "--quiet", str(self.event.origin), str(place))
            self.prepare(place)
        git(place, "fetch", "--quiet", "origin")
        git(
            place,
            "checkout",
            "--quiet",
            "--force",
            "-B",
            self.event.branch,
            options.get("ref") or self.names["github"].sha,
        )
        if options.get("clean", "true") == "true":
            git(place, "clean", "-ffdxq", "--exclude=.venv", "--exclude=.dvc/config.local")

    def _step(
        self, place: Path, script: str, more: Mapping[str, str], cancel: Callable[[str], bool]
    ) -> tuple[int, str]:
        github = self.names["github"]
        actions = {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_REF_NAME": github.ref_name,
            "GITHUB_REF": github.ref,
            "GITHUB_SHA": github.sha,
            "GITHUB_ACTOR": "somebody",
            "GITHUB_REPOSITORY": "owner/project",
            "GITHUB_RUN_ID": "1",
        }
        log = self.folder / "log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-eo", "pipefail", "-c", script],
                cwd=place,
                env={**self.environment, **actions, **more},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            while (code := _wait(process)) is None:
                if cancel(log.read_text(errors="replace")):
                    code = self.cancelled(process)
                    break
        return code, log.read_text(errors="replace")

    @staticmethod
    def cancelled(process: subprocess.Popen[bytes]) -> int:
        """As Actions does: SIGINT to the step's process alone, 7.5 s later SIGTERM, 2.5 s later the end of all."""
        for number, seconds in ((signal.SIGINT, 7.5), (signal.SIGTERM, 2.5)):
            process.send_signal(number)
            try:
                return process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                continue
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def _wait(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(timeout=0.2)
    except subprocess.TimeoutExpired:
        return None


def git(root: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@localhost")
    done = subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()
