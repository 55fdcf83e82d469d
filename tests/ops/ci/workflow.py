"""Run .github/workflows/retrain.yml as Actions does: events against paths, jobs by their needs and ifs, steps in order.

Of the expression language only what that file uses; anything else fails the test that meets it.
"""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

from tests.closure import ROOT
from tests.launch import git

FILE = ROOT / ".github/workflows/retrain.yml"
BODY = yaml.safe_load(FILE.read_text())

Cancel = Callable[[str], bool]  # sees what a step has printed, and says whether to cancel it


class Context(dict[str, Any]):
    """``github.event.pull_request.head``: what is not there is null, and null has any attribute."""

    def __getattr__(self, name: str) -> Any:
        value = self.get(name)
        return Context(value) if isinstance(value, Mapping) else Context() if value is None else value

    def __eq__(self, other: object) -> bool:
        return dict.__eq__(self, other) if self else other in (None, "", False) or other == {}

    def __str__(self) -> str:
        return json.dumps(self) if self else ""

    __hash__ = None  # type: ignore[assignment]  # it may change


def evaluate(text: str, names: Mapping[str, Any]) -> Any:
    """The value of an expression between ``${{`` and ``}}``."""
    python = re.sub(r"!(?!=)", " not ", text.replace("&&", " and ").replace("||", " or ")).strip()
    functions = {"fromJSON": json.loads, "always": lambda: True, "true": True, "false": False}
    return eval(python, {"__builtins__": {}}, {**functions, **names})


def filled(text: object, names: Mapping[str, Any]) -> str:
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(evaluate(found[1], names) or ""), str(text))


def triggers(kind: str, changed: Sequence[str]) -> bool:
    """Whether the file's ``on``, which YAML 1.1 reads as a truth, lets an event start it; its patterns end in `**`."""
    paths = (BODY[True][kind] or {}).get("paths")
    return paths is None or any(fnmatch(path, pattern) for path in changed for pattern in paths)


@dataclass
class Job:
    """``result`` is success, failure, cancelled or skipped; ``text`` is all that its steps printed."""

    result: str
    outputs: dict[str, str] = field(default_factory=dict)
    text: str = ""
    uploaded: list[str] = field(default_factory=list)


@dataclass
class Workflow:
    """One run for an event of ``kind`` on main of the bare repository ``origin``.

    ``runner`` is the folder of the runner of one's own, which stays; other jobs have a new one each in ``folder``.
    """

    kind: str
    origin: Path
    folder: Path
    runner: Path
    environment: Mapping[str, str]
    variables: Mapping[str, str]
    inputs: Mapping[str, str]
    prepare: Callable[[Path], None]  # a new clone

    def run(self, cancel: Cancel) -> dict[str, Job]:
        self.sha = git(self.origin, "rev-parse", "main")
        event = Context(repository={"default_branch": "main"})
        github = Context(event_name=self.kind, ref="refs/heads/main", ref_name="main", token="token", event=event)
        names = {"github": github, "inputs": Context(self.inputs), "vars": Context(self.variables)}
        jobs: dict[str, Job] = {}
        for name, body in BODY["jobs"].items():
            needs = [body["needs"]] if isinstance(body.get("needs"), str) else body.get("needs", [])
            known = names | {"secrets": Context(), "needs": Context({need: vars(jobs[need]) for need in needs})}
            ready = all(jobs[need].result == "success" for need in needs)
            ready = ready and evaluate(str(body.get("if", "true")), known)
            jobs[name] = self._job(name, body, known, cancel) if ready else Job("skipped")
        return jobs

    def _job(self, name: str, body: dict[str, Any], names: dict[str, Any], cancel: Cancel) -> Job:
        place = self.runner if "self-hosted" in filled(body["runs-on"], names) else self.folder / name
        job, steps = Job("success"), Context()
        names = names | {"steps": steps}
        for step in body["steps"]:
            if job.result != "success" and "always()" not in str(step.get("if", "")):
                continue
            options = {key: filled(value, names) for key, value in step.get("with", {}).items()}
            if "checkout" in step.get("uses", ""):
                self._checkout(place, options)
            elif "upload-artifact" in step.get("uses", ""):
                found = (path for pattern in options["path"].split() for path in place.glob(f"{pattern}**/*"))
                job.uploaded = sorted(path.relative_to(place).as_posix() for path in found if path.is_file())
            else:
                (outputs := self.folder / "outputs").write_text("")
                layers = (BODY.get("env", {}), body.get("env", {}), step.get("env", {}))
                more = {key: filled(value, names) for layer in layers for key, value in layer.items()}
                code, text = self._step(place, step["run"], more | {"GITHUB_OUTPUT": str(outputs)}, cancel)
                job.text += text
                if code:
                    job.result = "cancelled" if cancel(job.text) else "failure"
                if "id" in step:
                    rows = (line.partition("=")[::2] for line in outputs.read_text().splitlines())
                    steps[step["id"]] = {"outputs": dict(rows)}
        job.outputs = {key: filled(value, names) for key, value in body.get("outputs", {}).items()}
        return job

    def _checkout(self, place: Path, options: Mapping[str, str]) -> None:
        if not place.exists():
            git(self.folder, "clone", "--quiet", str(self.origin), str(place))
            self.prepare(place)
        git(place, "fetch", "--quiet", "origin")
        git(place, "checkout", "--quiet", "--force", "-B", "main", options.get("ref") or self.sha)
        if options.get("clean") != "False":
            git(place, "clean", "-ffdxq", "--exclude=.venv", "--exclude=.dvc/config.local")

    def _step(self, place: Path, script: str, more: Mapping[str, str], cancel: Cancel) -> tuple[int, str]:
        actions = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_REF_NAME": "main", "GITHUB_REF": "refs/heads/main"}
        actions |= {"GITHUB_ACTOR": "somebody", "GITHUB_REPOSITORY": "owner/project", "GITHUB_RUN_ID": "1"}
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
            while (code := _wait(process, 0.2)) is None:
                if cancel(log.read_text(errors="replace")):
                    code = _cancelled(process)
                    break
        return code, log.read_text(errors="replace")


def _cancelled(process: subprocess.Popen[bytes]) -> int:
    """As Actions does: SIGINT to the step's process alone, 7.5 s later SIGTERM, 2.5 s later the end of all."""
    for number, seconds in ((signal.SIGINT, 7.5), (signal.SIGTERM, 2.5)):
        process.send_signal(number)
        if (code := _wait(process, seconds)) is not None:
            return code
    os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None
