"""How every stage command behaves: a Refusal becomes one line on stderr and exit 1, a crash tells where it was."""

import errno
import faulthandler
import os
from pathlib import Path
from typing import Any

import click

from pipeline.core.types import Refusal, visible
from stages.shared.dvc import find_root

MACHINE = {  # what is no bug of ours, and its remedy
    errno.EACCES: "have somebody let you, or write elsewhere",
    errno.EDQUOT: "make room, and run it again",
    errno.ENAMETOOLONG: "shorten the name",
    errno.ENOSPC: "make room, and run it again",
    errno.EROFS: "mount it for writing, or write elsewhere",
}
STDERR = 2  # the file itself: what a test puts in sys.stderr's place has none


class Stage(click.Command):
    """A click command that prints refusals plainly; anything else keeps its traceback, for it is a bug.

    So does a signal that native code dies of, such as SIGSEGV: it leaves the Python stack on stderr.
    """

    def invoke(self, ctx: click.Context) -> Any:
        if not faulthandler.is_enabled():
            faulthandler.enable(STDERR)
        try:
            if ctx.parent:
                enter_root(ctx)
            return super().invoke(ctx)
        except Refusal as refusal:
            raise click.ClickException(str(refusal)) from None
        except OSError as error:
            if error.errno not in MACHINE:
                raise
            name = visible(str(error.filename or "writing"))
            raise click.ClickException(f"{name}: {error.strerror}: {MACHINE[error.errno]}") from None


def enter_root(ctx: click.Context) -> None:
    """Have a verb of `fcn` run in the clone's folder where it was called below it; given paths mean the same there."""
    root = find_root(here := Path.cwd())
    if root == here:
        return
    for param in ctx.command.params:
        if isinstance(param.type, click.Path) and param.name and (value := ctx.params.get(param.name)) is not None:
            paths = value if isinstance(value, tuple) else (value,)
            absolute = tuple(type(path)(Path(path).absolute()) for path in paths)
            ctx.params[param.name] = absolute if isinstance(value, tuple) else absolute[0]
    os.chdir(root)
