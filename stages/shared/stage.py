"""How every stage command behaves: a Refusal becomes one line on stderr and exit 1, a crash tells where it was."""

from __future__ import annotations

import faulthandler
from typing import Any

import click

from pipeline.core.types import Refusal

STDERR = 2  # the file itself: what a test puts in sys.stderr's place has none


class Stage(click.Command):
    """A click command that prints refusals plainly; anything else keeps its traceback, for it is a bug.

    So does a signal that native code dies of, such as SIGSEGV: it leaves the Python stack on stderr.
    """

    def invoke(self, ctx: click.Context) -> Any:
        if not faulthandler.is_enabled():
            faulthandler.enable(STDERR)
        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            raise click.ClickException(str(refusal)) from None
