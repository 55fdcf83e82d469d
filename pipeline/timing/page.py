"""Timings as a table to read and as a file to keep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pipeline.core import files
from pipeline.tables import markdown
from pipeline.timing.forward import Timing
from pipeline.timing.paper import printed

HEADER = ("net", "width", "10⁶ parameters", "mean ms", "median", "least", "MB at most", "printed, K40c")


def facts(timing: Timing) -> dict[str, Any]:
    """What all timings of one call share."""
    work = timing.work
    return {
        "device": work.device,
        "machine": timing.machine,
        "threads": work.threads,
        "torch": torch.__version__,
        "size": f"{work.width}x{work.height}",
        "repeats": work.repeats,
    }


def title(timing: Timing) -> str:
    """What was measured, on what."""
    work = timing.work
    where = f"{timing.machine}, " + (f"{work.threads} threads, " if work.device == "cpu" else "")
    return (
        f"Forward pass of one image of {work.width}×{work.height} px, {work.repeats} times; "
        f"{where}torch {torch.__version__}"
    )


def table(timings: Sequence[Timing]) -> str:
    """A row a net, beside what the paper printed for the same net at its full width."""
    return markdown(HEADER, [_row(timing) for timing in timings])


def write(path: Path, timings: Sequence[Timing]) -> None:
    """``{nets: {name: numbers}, machine, …}`` as JSON."""
    nets = {timing.work.name: {**timing.numbers(), "width": timing.width} for timing in timings}
    files.write_json(path, {**facts(timings[0]), "nets": nets})


def _row(timing: Timing) -> tuple[str, ...]:
    numbers, name = timing.numbers(), timing.work.name
    times = (f"{numbers[key]:.1f}" for key in ("mean_ms", "median_ms", "min_ms"))
    peak = "–" if timing.peak is None else f"{timing.peak / 1e6:.0f}"
    paper = printed(name, timing.width) or "–"
    return name, f"{timing.width:g}", f"{timing.parameters / 1e6:.2f}", *times, peak, paper
