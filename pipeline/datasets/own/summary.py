"""Walk through every pair of a folder as converting does, and gather all problems, or what there is to know."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from pipeline.core.types import DatasetSpec, Encoded, LabelSpec, Refusal, Sample
from pipeline.datasets.own.layout import Layout

Counts = NDArray[np.int64]
"""Pixels by stored label value, 256 of them."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Every problem, a line each and at most one a pair; or, where there is none, the facts, a few lines.

    Iterates over the lines of whichever there are.
    """

    problems: tuple[str, ...]
    facts: tuple[str, ...]

    def __iter__(self) -> Iterator[str]:
        return iter(self.problems or self.facts)


def walk(spec: DatasetSpec, found: Layout, sample: Callable[[str, Mapping[str, Encoded]], Sample]) -> Findings:
    """Encode every pair that a split holds by ``sample``, under a progress bar, collecting what it refuses."""
    problems = list(found.problems)
    names = sorted({name for ids in found.splits.values() for name in ids} & found.images.keys() & found.labels.keys())
    pixels: dict[str, Counts] = {}
    shapes = set()
    for name in tqdm(names, desc=spec.name, unit="pair", disable=None):
        try:
            checked = sample(name, found.read(name))
        except Refusal as refusal:
            problems.append(str(refusal))
            continue
        with Image.open(io.BytesIO(checked.labels["semantic"].bytes)) as label:
            pixels[name] = np.bincount(np.asarray(label).ravel(), minlength=256)
        shapes.add((checked.height, checked.width))
    if problems:
        return Findings(problems=tuple(problems), facts=())
    totals = {
        split: sum((pixels[name] for name in ids), np.zeros(256, np.int64)) for split, ids in found.splits.items()
    }
    facts = (*_sizes(spec, found, names, shapes), *_shares(spec.labels["semantic"], totals))
    return Findings(problems=(), facts=facts)


def _sizes(spec: DatasetSpec, found: Layout, names: Sequence[str], shapes: set[tuple[int, int]]) -> Iterator[str]:
    counts = ", ".join(f"{split} {len(ids)}" for split, ids in found.splits.items())
    left = len(found.images) - len(names)
    yield f"{spec.name}: {counts}{f', in no split {left}' if left else ''}"
    smallest, largest = (pick(shapes, key=lambda shape: (shape[0] * shape[1], shape)) for pick in (min, max))
    span = f" to {largest[0]}×{largest[1]}" if largest != smallest else ""
    yield f"height×width: {smallest[0]}×{smallest[1]}{span}"


def _shares(label: LabelSpec, totals: Mapping[str, Counts]) -> Iterator[str]:
    """A line a class: its share of each split's pixels that are not void; last, void's share of all pixels."""
    width = max(map(len, (*label.classes, "void")))
    void = label.ignore_label
    for place, name in enumerate(label.classes):
        shares = (f"{split} {_percent(total[place], total.sum() - total[void])}" for split, total in totals.items())
        yield f"{name:<{width}}  {'  '.join(shares)}"
    shares = (f"{split} {_percent(total[void], total.sum())}" for split, total in totals.items())
    yield f"{'void':<{width}}  {'  '.join(shares)} of all pixels"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if part else "none"
