"""Tell what `fcn run` would do, why, how long it takes and what it pulls: fcn plan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from ops._plan import MAY_RUN, RESTORED, RUN, Plan, Step, plan
from pipeline import tables
from pipeline.tables import duration, size
from stages.shared.stage import Stage

SHOWN = 3  # reasons of a stage


@click.command(cls=Stage)
@click.argument("stages", nargs=-1)
@click.option("--markdown", "as_markdown", is_flag=True, help="A table for a pull request.")
@click.option(
    "--allow-missing/--no-allow-missing",
    default=None,
    help="Whether to run nothing merely because files are not here, as fcn run --pull --allow-missing; "
    "by default where an output is neither here nor in DVC's cache.",
)
def main(stages: tuple[str, ...], as_markdown: bool, allow_missing: bool | None) -> None:
    """Tell what `fcn run` would do for STAGES, or for all of dvc.yaml; nothing runs, and nothing is pulled.

    What is not up to date will run, be restored from DVC's cache of runs, or may run: if a stage before it writes other
    bytes than before.
    """
    found = plan(Path.cwd(), stages, allow_missing)
    click.echo(markdown(found) if as_markdown else "\n".join(lines(found)))


def lines(found: Plan) -> Iterator[str]:
    """A line for each step, in columns, and one for all."""
    rows = [(step.action, step.stage, _time(step), _pulls(step.pulls), _why(step)) for step in found.steps]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True) if width).rstrip()
    yield summary(found)
    yield from found.notes


def markdown(found: Plan) -> str:
    """The steps as a table, and what they come to; without steps a line."""
    header = ("Stage", "", "Why", "Time", "Pull")
    rows = [
        (f"`{step.stage}`", step.action, _why(step), _time(step), size(step.pulls) if step.pulls else "")
        for step in found.steps
    ]
    table = [tables.markdown(header, rows), ""] if rows else []
    return "\n".join([*table, summary(found), *found.notes])


def summary(found: Plan) -> str:
    """``1 runs, 4 may run, 80 unchanged; at least 6 min one after another, 2 stages never ran here; 12 MB to pull``."""
    if not found.steps:
        return f"nothing to run: {found.unchanged} stages unchanged"
    counts = [(len(found.of(action)), action) for action in (RUN, RESTORED, MAY_RUN)]
    steps = [f"{count} {action}" for count, action in counts if count] + [f"{found.unchanged} unchanged"]
    return "; ".join([", ".join(steps), _times(found), _pulls(found.pulls) or "nothing to pull"])


def _times(found: Plan) -> str:
    known = len(found.steps) - found.untimed
    if not known:
        return "nobody knows how long"
    if not found.untimed:
        return f"about {duration(found.seconds)} one after another"
    stages = "1 stage" if found.untimed == 1 else f"{found.untimed} stages"
    return f"at least {duration(found.seconds)} one after another, {stages} never ran here"


def _time(step: Step) -> str:
    if step.action == RESTORED:
        return ""
    return "unknown" if step.seconds is None else f"about {duration(step.seconds)}"


def _pulls(bytes_: int) -> str:
    return f"{size(bytes_)} to pull" if bytes_ else ""


def _why(step: Step) -> str:
    more = len(step.reasons) - SHOWN
    return ", ".join([*step.reasons[:SHOWN], *([f"{more} more"] if more > 0 else [])])
