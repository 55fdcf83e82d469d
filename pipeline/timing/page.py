"""Timings as a table and a file, beside what the paper printed; and its nets, at full size with random weights."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core import files
from pipeline.datasets.shared.voc_classes import LABEL, MEAN
from pipeline.published.published import NETWORKS, PUBLISHED, TABLE1, TABLE3, TIMES
from pipeline.spec import NetSpec
from pipeline.tables import markdown

if TYPE_CHECKING:  # it loads torch
    from pipeline.timing.forward import Timing

HEADER = ("net", "width", "10⁶ parameters", "mean ms", "median", "least", "MB at most", "printed, K40c")
FULL = 1.0  # the width of the paper's nets


def facts(timing: Timing) -> dict[str, Any]:
    """What all timings of one call share."""
    work = timing.work
    return {
        "device": work.device,
        "machine": timing.machine,
        "threads": work.threads,
        "torch": version("torch"),
        "size": f"{work.width}x{work.height}",
        "repeats": work.repeats,
    }


def title(timing: Timing) -> str:
    """What was measured, on what."""
    work = timing.work
    where = f"{timing.machine}, " + (f"{work.threads} threads, " if work.device == "cpu" else "")
    what = f"Forward pass of one image of {work.width}×{work.height} px, {work.repeats} times"
    return f"{what}; {where}torch {version('torch')}"


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


def _spec(backbone: str, padding: int, stride: int = 32) -> NetSpec:
    heads = {"semantic": LABEL}
    return NetSpec(backbone=backbone, width=FULL, crop=224, padding=padding, mean=MEAN, stride=stride, heads=heads)


# Padding as in conf/scale/paper.yaml. Table 1 has the three of stride 32, Table 3 the FCN-8s
NETS = {
    "FCN-AlexNet": _spec("alexnet", 100),
    "FCN-VGG16": _spec("vgg16", 100),
    "FCN-GoogLeNet": _spec("googlenet", 3),
    "FCN-16s": _spec("vgg16", 100, 16),
    "FCN-8s": _spec("vgg16", 100, 8),
}
PRINTED = {**{net: f"{facts[0]} ms" for net, facts in NETWORKS.items()}, **TIMES}


def printed(name: str, width: float) -> str | None:
    """What the paper printed for a net, by its name there or the recipe that repeats it; None for a thinner net."""
    if width != FULL:
        return None
    names = {row.recipe: row.net for row in PUBLISHED if row.source in (TABLE1, TABLE3) and row.recipe}
    return PRINTED.get(names.get(name, name))
