"""Promote the candidates of a retraining: fcn ci promote."""

from __future__ import annotations

from pathlib import Path

import click

from ops import promote
from ops.ci.gate import candidates, prove
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("recipes", nargs=-1)
@click.pass_context
def main(ctx: click.Context, recipes: tuple[str, ...]) -> None:
    """Promote RECIPES (without any, the candidates in conf/gate.yaml) as `fcn promote` does, each judged anew.

    One whose weights are the champion's already stays as it is.
    """
    root = Path.cwd()
    for candidate in candidates(root, recipes):
        prove(ctx, root, candidate)
        ctx.invoke(promote.main, recipe=candidate.recipe)
