"""What CI runs, each step also on a desk: fcn ci plan | run | push | commit | report | gate | promote."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import yaml

from ops import run as run_command
from ops.ci import _forge, gate
from pipeline.changes import State, describe
from pipeline.core import files
from pipeline.core.fields import canonical, flat
from pipeline.core.types import Refusal
from pipeline.gate import with_classes
from pipeline.tracking.git import asked, git
from stages.shared.dvc import LOADER
from stages.shared.stage import Stage

OVERRIDES = "FCN_OVERRIDES"  # as ``dvc exp run -S`` takes them
MOVED_ON = ("fetch first", "non-fast-forward")


@click.group()
def main() -> None:
    """The steps of .github/workflows/retrain.yml and .gitlab-ci.yml, in their order."""


@main.command(cls=Stage)
@click.argument("stages", nargs=-1)
def plan(stages: tuple[str, ...]) -> None:
    """Say which stages (of STAGES, or all) would run, why, how long and what they pull; no data is needed, none comes.

    Tells later jobs whether to `run`, true or false, and comments on the branch's open request.
    """
    from ops.plan import markdown  # what needs no DVC must run without it: fcn predict
    from ops.plan import plan as planned

    host = _forge.forge(os.environ)
    override(Path.cwd(), os.environ)
    found = planned(Path.cwd(), stages, allow_missing=True)
    host.tell("run", str(bool(found.steps)).lower())
    host.leave("plan", f"## What a retraining would do\n\n{markdown(found)}")


@main.command(cls=Stage)
@click.option("--jobs", type=click.IntRange(min=1), help="As for fcn run, as the next.")
@click.option("--gpus")
@click.argument("stages", nargs=-1)
@click.pass_context
def run(ctx: click.Context, jobs: int | None, gpus: str | None, stages: tuple[str, ...]) -> None:
    """Run what changed (of STAGES, or all) under $FCN_OVERRIDES, pulling only what that needs."""
    override(Path.cwd(), os.environ)
    ctx.invoke(run_command.main, jobs=jobs, gpus=gpus, pull=True, allow_missing=True, targets=stages)


@main.command(cls=Stage)
def push() -> None:
    """Send MLflow what it did not hear yet, and the DVC remote all that dvc.lock and the cache of runs name.

    The cache of runs brings back, on any machine, each stage that a failed or cancelled run had finished.
    """
    if subprocess.run([sys.executable, "-m", "ops.fcn", "sync"], check=False).returncode:
        click.echo("MLflow has not heard all: fcn sync sends the rest when it answers", err=True)
    done = subprocess.run([sys.executable, "-m", "dvc", "push", "--run-cache"], check=False)
    raise click.exceptions.Exit(done.returncode)


@main.command(cls=Stage)
def commit() -> None:
    """Commit dvc.lock and the small results with `[skip ci]`, push them, and tell later jobs the `commit`.

    They go to the branch that was retrained; with overrides, or where that branch has moved on, to retrain/….
    Refuses while a stage has yet to run, and where files differ that no stage writes.
    """
    from ops.plan import plan as planned
    from stages._live import written  # it loads NumPy

    root, host, overrides = Path.cwd(), _forge.forge(os.environ), os.environ.get(OVERRIDES, "")
    if unfinished := [step.stage for step in planned(root, allow_missing=True).steps]:
        raise Refusal(f"{', '.join(unfinished)} did not run: fcn ci run first")
    results = _changed(root, [*sorted(written()), *(["params.yaml"] if overrides else [])])
    if others := sorted(set(_changed(root, ["."])) - set(results)):
        raise Refusal(f"{others[0]} differs from the commit, and no stage writes it: CI commits results alone")
    branch = host.branch
    if results:
        subject = "Results of a retraining" + (f" under {overrides}" if overrides else "")
        known = asked(root, "config", "user.email")
        author = () if known else ("-c", "user.name=fcn ci", "-c", "user.email=fcn-ci@localhost")
        git(root, "add", "--all", "--", *results)
        git(root, *author, "commit", "-qm", f"{subject}\n\n{host.page}\n\n[skip ci]", "--", *results)
        branch = _push(root, branch, aside=bool(overrides))
    head = git(root, "rev-parse", "HEAD")
    click.echo(f"{head[:7]} on {branch}")
    host.tell("commit", head)


@main.command(cls=Stage)
@click.option("--base", metavar="REV", envvar="FCN_BASE", help="By default origin's default branch.  [env: FCN_BASE]")
def report(base: str | None) -> None:
    """Compare scores, params and stages with REV, or with HEAD~1 on REV itself, in one comment on the request."""
    from pipeline.tracking import uri

    root, host = Path.cwd(), _forge.forge(os.environ)
    base = base or asked(root, "rev-parse", "--abbrev-ref", "origin/HEAD") or "HEAD"
    base = "HEAD~1" if base in ("HEAD", f"origin/{host.branch}") else base
    parts = [describe(base, read(root, base), read(root))]
    if host.page:
        parts.append(f"Pictures: the artefact `results` of [this run]({host.page})")
    if (server := uri.chosen(root)).startswith(uri.HTTP):
        parts.append(f"Runs: {re.sub('//.*@', '//', server)}")  # without its password
    host.leave("report", "\n\n".join(parts))


main.add_command(gate.main, "gate")
main.add_command(gate.promote, "promote")


def override(root: Path, environ: Mapping[str, str]) -> None:
    """Compose params.yaml anew under $FCN_OVERRIDES, as ``dvc exp run -S`` takes them; without any it stays.

    They come in a variable and never in a command, so that no shell runs them. Raises Refusal before it writes.
    """
    if given := shlex.split(environ.get(OVERRIDES, "")):
        from ops.compose import composed  # it loads Hydra

        files.write_text(root / "params.yaml", composed(root, given))


def _changed(root: Path, paths: Sequence[str]) -> list[str]:
    """What differs from HEAD under ``paths``, without what git ignores."""
    listed = git(root, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--", *paths)
    return [entry[3:] for entry in listed.split("\0") if entry]


def _push(root: Path, branch: str, *, aside: bool) -> str:
    """Push HEAD to ``branch`` and return it; to retrain/<commit> where ``aside``, or where ``branch`` has moved on."""
    other = f"retrain/{git(root, 'rev-parse', '--short=12', 'HEAD')}"
    for target in [other] if aside else [branch, other]:
        try:
            git(root, "push", "--quiet", "origin", f"HEAD:refs/heads/{target}")
            break
        except Refusal as refusal:
            if target == other or not any(reason in str(refusal) for reason in MOVED_ON):
                raise
    return target


def read(root: Path, revision: str | None = None) -> State:
    """The pipeline at ``revision``, or as it lies here. Raises Refusal for a revision that git does not know."""
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException

    def parsed(path: str) -> dict[str, Any]:
        return dict(yaml.load(tree.read_text(path), Loader=LOADER) or {}) if tree.isfile(path) else {}

    try:
        tree = DVCFileSystem(str(root), rev=revision)
        metrics, classes = (
            {path.split("/")[-2]: json.loads(tree.read_text(path)) for path in tree.glob(f"eval/*/{name}.json")}
            for name in ("metrics", "classes")
        )
        found = {recipe: with_classes(one, classes.get(recipe, {})) for recipe, one in metrics.items()}
        params = {name: canonical(value) for name, value in flat(parsed("params.yaml")).items()}
        return State(found, params, parsed("dvc.lock").get("stages") or {})
    except DvcException as error:
        raise Refusal(f"{error}: git fetch --unshallow, or give another --base") from None
