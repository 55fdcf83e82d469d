"""What results/*.json hold, as Markdown tables: the page of all, and one benchmark's share of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import _machine
from pipeline.core import files

PAGE = "results.md"


def write(results: Path) -> None:
    """``results/results.md`` from every JSON file beside it."""
    found = [json.loads(path.read_text()) for path in sorted(results.glob("*.json"))]
    text = "# Measured\n\nWritten by `make bench` from the JSON files beside it; [what they are](../README.md).\n"
    with files.replacing(results / PAGE) as scratch:
        scratch.write_text("\n".join([text, *(tables(one) for one in found)]), encoding="utf-8")


def tables(found: Mapping[str, Any]) -> str:
    """One benchmark: where and of what, then a table and the goals of each of its cases."""
    about = f"{found['data']}. {found['rounds']} rounds, {found['seconds']:.0f} s. {_machine.line(found['machine'])}."
    return "\n".join([f"## {found['name']}", "", about, "", *(_table(case) for case in found["cases"])])


def _table(case: Mapping[str, Any]) -> str:
    rows = [f"| {case['title']} | {case['unit']}, median | best | CPU s | |", "|---|--:|--:|--:|---|"]
    for row in case["rows"]:
        name = f"**{row['name']}**" if row["ours"] else row["name"]
        figures = f"{row['median']:g} | {row['best']:g} | {row['cpu'] or '–'}" if "median" in row else "– | – | –"
        rows.append(f"| {name} | {figures} | {row['note']} |")
    return "\n".join([*rows, "", *map(_goal, case["goals"]), *([""] if case["goals"] else [])])


def _goal(goal: Mapping[str, Any]) -> str:
    if goal["met"] is None:
        return f"* {goal['text']}: not judged, no peer ran"
    met = "met" if goal["met"] else "**not met**"
    return f"* {goal['text']}: {goal['reached']:g} (best rounds {goal['best']:g}) beside {goal['beside']}, {met}"
