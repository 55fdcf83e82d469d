"""Judge the candidates of a retraining: fcn ci gate."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ops import gate
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("recipes", nargs=-1)
@click.pass_context
def main(ctx: click.Context, recipes: tuple[str, ...]) -> None:
    """Judge RECIPES (without any, the candidates in conf/gate.yaml) as `fcn gate` does, and fail if one fails.

    The proofs that the gate asks for are made first, under the lock of `fcn ci run`: they are trainings, too.
    """
    from ops.ci import _candidates, _forge, _lock, _runner

    root, forge = Path.cwd(), _forge.forge(os.environ)
    found = _candidates.chosen(root, recipes)
    with _lock.held(_runner.keep(root, os.environ), forge.url, click.echo):
        for candidate in found:
            _candidates.prove(ctx, root, candidate)
    failed = [candidate.recipe for candidate in found if not _passes(ctx, candidate.recipe)]
    if failed:
        click.echo(f"the gate is shut for {', '.join(failed)}", err=True)
        raise click.exceptions.Exit(1)


def _passes(ctx: click.Context, recipe: str) -> bool:
    try:
        ctx.invoke(gate.main, recipe=recipe, first=False, floor=None, tolerance=None, class_drop=None)
    except click.exceptions.Exit:
        return False
    return True
