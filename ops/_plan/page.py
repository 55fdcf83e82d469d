"""A plan as people read it: lines for a terminal, a table for a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from ops._amount import duration, size
from ops._plan.plan import MAY_RUN, RESTORED, RUN, Plan, Step
from pipeline import tables

SHOWN = 3  # reasons of a stage


def lines(plan: Plan) -> Iterator[str]:
    """A line for each step, in columns, and one for all."""
    rows = [(step.action, step.stage, _time(step), _pulls(step.pulls), _why(step)) for step in plan.steps]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True) if width).rstrip()
    yield summary(plan)
    yield from plan.notes


def markdown(plan: Plan) -> str:
    """The steps as a table, and what they come to; without steps a line."""
    header = ("Stage", "", "Why", "Time", "Pull")
    rows = [
        (f"`{step.stage}`", step.action, _why(step), _time(step), size(step.pulls) if step.pulls else "")
        for step in plan.steps
    ]
    table = [tables.markdown(header, rows), ""] if rows else []
    return "\n".join([*table, summary(plan), *plan.notes])


def summary(plan: Plan) -> str:
    """``1 runs, 4 may run, 80 unchanged; at least 6 min one after another, 2 stages never ran here; 12 MB to pull``."""
    if not plan.steps:
        return f"nothing to run: {plan.unchanged} stages unchanged"
    counts = [(len(plan.of(action)), action) for action in (RUN, RESTORED, MAY_RUN)]
    told = [f"{count} {action}" for count, action in counts if count] + [f"{plan.unchanged} unchanged"]
    return "; ".join([", ".join(told), _times(plan), _pulls(plan.pulls) or "nothing to pull"])


def _times(plan: Plan) -> str:
    known = len(plan.steps) - plan.untimed
    if not known:
        return "nobody knows how long"
    if not plan.untimed:
        return f"about {duration(plan.seconds)} one after another"
    stages = "1 stage" if plan.untimed == 1 else f"{plan.untimed} stages"
    return f"at least {duration(plan.seconds)} one after another, {stages} never ran here"


def _time(step: Step) -> str:
    if step.action == RESTORED:
        return ""
    return "unknown" if step.seconds is None else f"about {duration(step.seconds)}"


def _pulls(bytes_: int) -> str:
    return f"{size(bytes_)} to pull" if bytes_ else ""


def _why(step: Step) -> str:
    more = len(step.reasons) - SHOWN
    return ", ".join([*step.reasons[:SHOWN], *([f"{more} more"] if more > 0 else [])])
