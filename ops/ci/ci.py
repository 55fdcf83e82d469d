"""What CI runs, each step also on a desk: fcn ci plan | run | push | commit | report | gate | promote."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from ops import run as run_command
from ops.ci import commit, gate, report
from stages.shared.stage import Stage


@click.group()
def main() -> None:
    """The steps of .github/workflows/retrain.yml and .gitlab-ci.yml, in their order."""


@main.command(cls=Stage)
@click.argument("stages", nargs=-1)
def plan(stages: tuple[str, ...]) -> None:
    """Say which stages (of STAGES, or all) would run, why, how long and what they pull; no data is needed, none comes.

    Tells later jobs whether to `run`, true or false, and comments on the branch's open request.
    """
    from ops._plan.page import markdown  # what needs no DVC must run without it: fcn predict
    from ops._plan.plan import plan as planned
    from ops.ci import _forge

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
    ctx.invoke(run_command.main, jobs=jobs, gpus=gpus, pull=True, allow_missing=True, arguments=stages)


@main.command(cls=Stage)
def push() -> None:
    """Send MLflow what it did not hear yet, and the DVC remote all that dvc.lock and the cache of runs name.

    The cache of runs brings back, on any machine, each stage that a failed or cancelled run had finished.
    """
    if subprocess.run([sys.executable, "-m", "ops.fcn", "sync"], check=False).returncode:
        click.echo("MLflow has not heard all: fcn sync sends the rest when it answers", err=True)
    done = subprocess.run([sys.executable, "-m", "dvc", "push", "--run-cache"], check=False)
    raise click.exceptions.Exit(done.returncode)


def override(root: Path, environ: Mapping[str, str]) -> None:
    """Compose params.yaml anew under $FCN_OVERRIDES, as ``dvc exp run -S`` takes them; without any it stays.

    They come in a variable and never in a command, so that no shell runs them. Raises Refusal before it writes.
    """
    if given := shlex.split(environ.get(commit.OVERRIDES, "")):
        from ops.compose import composed, write  # it loads Hydra

        write(root / "params.yaml", composed(root, given))


for name, command in {"commit": commit.main, "report": report.main, "gate": gate.main, "promote": gate.promote}.items():
    main.add_command(command, name)
