"""How every stage command behaves: a Refusal becomes one line on stderr and exit 1."""

from __future__ import annotations

from typing import Any

import click

from pipeline.types import Refusal


class Stage(click.Command):
    """A click command that prints refusals plainly; anything else keeps its traceback, for it is a bug."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            raise click.ClickException(str(refusal)) from None
