"""Peers and ours in turn, round after round; what was measured goes to one JSON file and to the page of all."""

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import click
from tqdm import tqdm

from benchmarks import _machine, _page
from pipeline.core import files

RESULTS = Path(__file__).parent / "results"
Timed = Callable[[], object]
Sides = Mapping[str, Callable[[], Timed]]
"""By name, what makes ready and gives what is timed; making ready may take its time."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What ``ours`` should reach beside the fastest of ``peers`` that ran: so many times its speed, or seconds more."""

    text: str
    ours: str
    peers: tuple[str, ...]
    times: float | None = None
    seconds: float = 0.0

    def judged(self, took: Mapping[str, Sequence[float]]) -> dict[str, Any]:
        """The median of the rounds' ratios (or differences, in seconds), that of the best rounds, and whether the
        median is as good as the goal."""
        ran = [name for name in self.peers if name in took]
        if not ran:
            return {"text": self.text, "beside": None, "reached": None, "best": None, "met": None}
        peer = min(ran, key=lambda name: median(took[name]))
        reached = median(map(self._of, took[self.ours], took[peer]))
        best = self._of(min(took[self.ours]), min(took[peer]))
        met = reached <= self.seconds if self.times is None else reached >= self.times
        return {"text": self.text, "beside": peer, "reached": round(reached, 3), "best": round(best, 3), "met": met}

    def _of(self, ours: float, other: float) -> float:
        return ours - other if self.times is None else other / ours


@dataclass(frozen=True, kw_only=True)
class Case:
    """One comparison. ``amount`` is what a call does, in ``unit`` without its "/s"; None compares seconds.

    ``notes`` are asked for when all is measured.
    """

    title: str
    peers: Sides
    ours: Sides
    unit: str = "s"
    amount: float | None = None
    goals: Sequence[Goal] = ()
    notes: Mapping[str, Callable[[], str]] = field(default_factory=dict)


def options(rounds: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options that every benchmark has."""
    least = click.IntRange(min=2)  # from one round no median is worth the name
    of = click.option("--rounds", type=least, default=rounds, show_default=True)
    to = click.option("--results", type=click.Path(path_type=Path, file_okay=False), default=RESULTS, hidden=True)
    return lambda command: of(to(command))


def run(name: str, cases: Sequence[Case], *, rounds: int, results: Path, data: str) -> None:
    """Measure ``cases``, write ``results/name.json`` and the page of all that lies there, and print these tables."""
    began = time.monotonic()
    measured = [_measured(case, rounds) for case in cases]
    found = {
        "name": name,
        "data": data,
        "machine": _machine.kind(),
        "rounds": rounds,
        "seconds": round(time.monotonic() - began, 1),
        "cases": measured,
    }
    files.write_json(results / f"{name}.json", found)
    _page.write(results)
    click.echo(_page.tables(found))


def _measured(case: Case, rounds: int) -> dict[str, Any]:
    """A first call of each is not counted: it fills caches. A peer's failure is told, one of ours raised."""
    ready: dict[str, Timed] = {}
    absent: dict[str, str] = {}
    with tqdm(total=(rounds + 1) * len([*case.peers, *case.ours]), desc=case.title, leave=False, mininterval=1) as bar:
        for name, side in [*case.peers.items(), *case.ours.items()]:
            bar.set_postfix_str(name)
            try:
                call = side()
                call()
                ready[name] = call
            except Exception as error:
                if name in case.ours:
                    raise
                absent[name] = _reason(error)
            bar.update()
        took: dict[str, list[float]] = {name: [] for name in ready}
        cpu: dict[str, list[float]] = {name: [] for name in ready}
        for turn in range(rounds):
            order = list(ready)
            random.Random(turn).shuffle(order)  # so that no two sides are neighbours in every slow minute
            for name in order:
                bar.set_postfix_str(name)
                start, spent = time.perf_counter(), sum(os.times()[:4])
                ready[name]()
                took[name].append(time.perf_counter() - start)
                cpu[name].append(sum(os.times()[:4]) - spent)
                bar.update()
    return _told(case, took, cpu, absent)


def _reason(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed"
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def _told(
    case: Case, took: Mapping[str, Sequence[float]], cpu: Mapping[str, Sequence[float]], absent: Mapping[str, str]
) -> dict[str, Any]:
    rows = []
    for name in [*case.peers, *case.ours]:
        row: dict[str, Any] = {"name": name, "ours": name in case.ours}
        if name in took:
            row["seconds"] = [round(seconds, 5) for seconds in took[name]]
            row["cpu"] = round(median(cpu[name]), 3) or None  # a child that lives on has not told
            row["median"], row["best"] = (_figure(case, of(took[name])) for of in (median, min))
        row["note"] = absent.get(name) or case.notes.get(name, str)()
        rows.append(row)
    goals = [goal.judged(took) for goal in case.goals]
    return {"title": case.title, "unit": case.unit, "rows": rows, "goals": goals}


def _figure(case: Case, seconds: float) -> float:
    return float(f"{seconds if case.amount is None else case.amount / seconds:.4g}")
