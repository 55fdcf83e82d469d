"""Tell what a retraining would do, before a machine with a GPU is asked for: fcn ci plan."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from stages.shared.stage import Stage

MARK = "plan"


@click.command(cls=Stage)
@click.argument("stages", nargs=-1)
def main(stages: tuple[str, ...]) -> None:
    """Say which stages (of STAGES, or all) would run, why, how long and what they pull; no data is needed, none comes.

    Tells later jobs `run` (true or false) and `stages` (JSON), and comments on the branch's open request.
    """
    from dvc.repo import Repo  # what needs no DVC must run without it: fcn predict

    from ops._repro.page import markdown
    from ops._repro.plan import MAY_RUN, plan
    from ops.ci import _forge, _runner

    root, forge = Path.cwd(), _forge.forge(os.environ)
    _runner.override(root, os.environ)
    with Repo() as repo:
        found = plan(repo, stages, allow_missing=True)
    runs = [step.stage for step in found.steps if step.action != MAY_RUN]
    forge.outputs(run=str(bool(runs)).lower(), stages=json.dumps(runs))
    forge.comment(MARK, f"## What a retraining would do\n\n{markdown(found)}")
