"""Retrain what changed: fcn ci run."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from ops import run
from pipeline.core import files
from stages.shared.stage import Stage

OVERRIDES = "FCN_OVERRIDES"


@click.command(cls=Stage)
@click.option("--jobs", type=click.IntRange(min=1), help="As for fcn run, as the next.")
@click.option("--gpus")
@click.argument("stages", nargs=-1)
@click.pass_context
def main(ctx: click.Context, jobs: int | None, gpus: str | None, stages: tuple[str, ...]) -> None:
    """Run what changed (of STAGES, or all) under $FCN_OVERRIDES, pulling only what that needs."""
    override(Path.cwd(), os.environ)
    ctx.invoke(run.main, jobs=jobs, gpus=gpus, pull=True, allow_missing=True, arguments=stages)


def override(root: Path, environ: Mapping[str, str]) -> None:
    """Compose params.yaml anew under $FCN_OVERRIDES, as ``dvc exp run -S`` takes them; without any it stays.

    They come in a variable and never in a command, so that no shell runs them. Raises Refusal before it writes.
    """
    given = shlex.split(environ.get(OVERRIDES, ""))
    if given:
        from ops.compose import composed  # it loads Hydra

        with files.replacing(root / "params.yaml") as scratch:
            scratch.write_text(composed(root, tuple(given)), encoding="utf-8")
