"""Retrain what changed, one retraining at a time: fcn ci run."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ops import run
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.option("--jobs", type=click.IntRange(min=1), help="As for fcn run, as the next.")
@click.option("--gpus")
@click.argument("stages", nargs=-1)
@click.pass_context
def main(ctx: click.Context, jobs: int | None, gpus: str | None, stages: tuple[str, ...]) -> None:
    """Run what changed (of STAGES, or all), pulling only what that needs.

    $FCN_SCRATCH is a folder that all runners share and that outlives a job: a training that was cancelled goes on from
    its snapshot there, and a second job waits until the first is over, or dead.
    """
    from ops.ci import _forge, _lock, _runner

    root = Path.cwd()
    _runner.override(root, os.environ)
    path = _runner.keep(root, os.environ)
    with _lock.held(path, _forge.forge(os.environ).url, click.echo):
        ctx.invoke(run.main, jobs=jobs, gpus=gpus, pull=True, allow_missing=True, force=False, arguments=stages)
