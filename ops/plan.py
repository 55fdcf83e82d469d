"""Tell what `fcn run` would do, why, how long it takes and what it pulls: fcn plan."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from dvc.dependency import ParamsDependency

from ops import _journal
from ops._project import opened, ordered
from ops._repro.stage_runner import StageRunner
from pipeline import tables
from pipeline.tables import duration, size
from stages.shared.stage import Stage

RUN, RESTORED, MAY_RUN = "run", "restored", "may run"
PARTIAL = "some data is not here, so this is of fcn run --pull --allow-missing; of fcn run alone: --no-allow-missing"
ABSENT = "absent"  # of a param
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


@dataclass(frozen=True)
class Step:
    """A stage that is not up to date: ``run`` if its own inputs changed, ``restored`` if only its outputs are not here.

    It ``may run`` if only a stage before it might write other bytes. A run with the same inputs as an earlier one may
    still be restored when its turn comes: DVC alone knows its cache of runs. ``seconds`` are its last run's, None if
    nobody knows them; ``pulls`` the bytes that must come from the remote for it, and for no step before it.
    """

    stage: str
    action: str
    reasons: tuple[str, ...]
    seconds: float | None
    pulls: int


@dataclass(frozen=True)
class Plan:
    """The steps in an order that they can run in, how many stages are unchanged, and ``notes``."""

    steps: tuple[Step, ...]
    unchanged: int
    notes: tuple[str, ...] = ()


def plan(root: Path, targets: Sequence[str] = (), allow_missing: bool | None = None) -> Plan:
    """What `fcn run` would do in ``root`` for ``targets``, or for all of dvc.yaml; nothing is pulled.

    With ``allow_missing``, what `fcn run --pull --allow-missing` would do, to which it is no change that files are not
    here. None asks for that where an output is neither here nor in DVC's cache, as in a clone without all data.

    Raises Refusal for an unknown target, and for a project that DVC cannot read.
    """
    with opened(root, targets) as repo:
        stages = ordered(repo, targets)
        lacks = any(_lacks(out) for stage in stages for out in stage.outs)
        runner = StageRunner(repo, allow_missing=lacks if allow_missing is None else allow_missing)
        steps = _steps(runner, stages)
    return Plan(tuple(steps), len(stages) - len(steps), (PARTIAL,) if lacks and allow_missing is None else ())


def _lacks(out: Any) -> bool:
    return bool(out.hash_info) and out.use_cache and not out.exists and bool(out.changed_cache())


def _steps(runner: StageRunner, stages: Sequence[Any]) -> list[Step]:
    lines, scale = _journal.read(Path(runner.repo.root_dir)), _journal.scale(Path(runner.repo.root_dir))
    graph, found = runner.repo.index.graph, list[Step]()
    rewriting: set[Any] = set()  # stages that may write other bytes than dvc.lock says
    pulled: set[str] = set()
    for stage in (stage for stage in stages if stage.cmd and not stage.frozen):
        own = tuple(reasons(runner, stage)) if runner.changed(stage, runner.allow_missing) else ()
        after = tuple(f"after {each.addressing}" for each in graph.successors(stage) if each in rewriting)
        if own and not after and not runner.changed(stage, allow_missing=True) and not any(map(_lacks, stage.outs)):
            if not all(out.exists for out in stage.outs):  # else only what it reads is to be restored
                found.append(Step(stage.addressing, RESTORED, own, 0.0, 0))
        elif own or after:
            rewriting.add(stage)
            missing = {str(out): out for out in runner.missing(stage) if out.stage not in rewriting}
            pulls = sum(out.meta.size or 0 for name, out in missing.items() if name not in pulled and _lacks(out))
            pulled |= {*missing}
            params = {name: value for dep in stage.params for name, value in dep.read_params().items()}
            seconds = _journal.seconds(lines, stage.addressing, params, scale)
            found.append(Step(stage.addressing, RUN if own else MAY_RUN, own + after, seconds, pulls))
    return found


def reasons(runner: StageRunner, stage: Any) -> Iterator[str]:
    """What changed, in words; of params the leaves with both values."""
    if not any(item.hash_info for item in [*stage.deps, *stage.outs]):
        yield "new stage"
        return
    if stage.is_callback or stage.always_changed:
        yield "runs always"
    if stage.changed_stage():
        yield "command changed"
    for dep in stage.deps:
        if isinstance(dep, ParamsDependency):
            before, now = dep.hash_info.value or {}, dep.read_params()
            for name in dict.fromkeys([*before, *now]):
                yield from _differences(name, before.get(name, ABSENT), now.get(name, ABSENT))
        elif not runner.allow_missing or all(out.exists for out in runner.filling(dep)):
            yield from (f"{dep} {_word(status)}" for status in dep.status().values())
        elif runner.dep_changed(dep):
            yield f"{dep} changed"
    for out in stage.outs:
        if not (runner.allow_missing and runner.may_be_absent(out)):
            yield from (f"output {out} {_word(status)}" for status in out.status().values())


def _word(status: Any) -> str:
    words = {"deleted": "missing", "not in cache": "missing", "modified": "changed", "new": "is new to it"}
    return words.get(status, str(status))


def _differences(name: str, before: Any, now: Any) -> Iterator[str]:
    """The leaves that are not as they were: ``recipes.voc-fcn16s.solver.lr 1e-10 → 2e-10``."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for leaf in dict.fromkeys([*before, *now]):
            yield from _differences(f"{name}.{leaf}", before.get(leaf, ABSENT), now.get(leaf, ABSENT))
    elif now != before:
        yield f"{name} {_short(before)} → {_short(now)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


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
    actions = [step.action for step in found.steps]
    counts = [f"{actions.count(action)} {action}" for action in (RUN, RESTORED, MAY_RUN) if action in actions]
    known = [step.seconds for step in found.steps if step.seconds is not None]
    untimed = len(found.steps) - len(known)
    time = f"{duration(sum(known))} one after another"
    if untimed:
        time += f", {untimed} {'stage' if untimed == 1 else 'stages'} never ran here"
    time = f"{'at least' if untimed else 'about'} {time}" if known else "nobody knows how long"
    pulls = _pulls(sum(step.pulls for step in found.steps)) or "nothing to pull"
    return "; ".join([", ".join([*counts, f"{found.unchanged} unchanged"]), time, pulls])


def _time(step: Step) -> str:
    if step.action == RESTORED:
        return ""
    return "unknown" if step.seconds is None else f"about {duration(step.seconds)}"


def _pulls(bytes_: int) -> str:
    return f"{size(bytes_)} to pull" if bytes_ else ""


def _why(step: Step) -> str:
    more = len(step.reasons) - SHOWN
    return ", ".join([*step.reasons[:SHOWN], *([f"{more} more"] if more > 0 else [])])
