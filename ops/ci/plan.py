"""Tell what a retraining would do, before a machine with a GPU is asked for: fcn ci plan."""

from __future__ import annotations

import os
from pathlib import Path

import click

from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("stages", nargs=-1)
def main(stages: tuple[str, ...]) -> None:
    """Say which stages (of STAGES, or all) would run, why, how long and what they pull; no data is needed, none comes.

    Tells later jobs whether to `run`, true or false, and comments on the branch's open request.
    """
    from ops._plan import plan
    from ops.ci import _forge, run
    from ops.plan import markdown  # what needs no DVC must run without it: fcn predict

    host = _forge.forge(os.environ)
    run.override(Path.cwd(), os.environ)
    found = plan(Path.cwd(), stages, allow_missing=True)
    host.tell("run", str(bool(found.steps)).lower())
    host.leave("plan", f"## What a retraining would do\n\n{markdown(found)}")
