"""Promote the candidates of a retraining: fcn ci promote."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ops import promote
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("recipes", nargs=-1)
@click.pass_context
def main(ctx: click.Context, recipes: tuple[str, ...]) -> None:
    """Promote RECIPES (without any, the candidates in conf/gate.yaml) as `fcn promote` does, each judged anew.

    One whose weights are the champion's already stays as it is.
    """
    from ops.ci import _candidates, _forge, _lock, _runner

    root, forge = Path.cwd(), _forge.forge(os.environ)
    found = _candidates.chosen(root, recipes)
    with _lock.held(_runner.keep(root, os.environ), forge.url, click.echo):
        for candidate in found:
            _candidates.prove(ctx, root, candidate)
            ctx.invoke(promote.main, recipe=candidate.recipe, force=None)
