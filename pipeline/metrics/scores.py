"""Count how label maps agree in one histogram, and read the paper's four metrics off it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from pipeline.core.types import LabelSpec, Refusal

Map = NDArray[np.uint8]
Histogram = NDArray[np.int64]


class Scores(TypedDict):
    """Fractions in [0, 1]; ``iu`` is None for the classes in ``absent``: those without a single true pixel."""

    pixel_acc: float
    mean_acc: float
    mean_iu: float
    fw_iu: float
    iu: dict[str, float | None]
    absent: list[str]


def histogram(truth: Map, predicted: Map, label: LabelSpec, name: str) -> Histogram:
    """Count an image's pixels by (true class, predicted class); sum over a split before scoring.

    ``truth`` and ``predicted`` are H×W uint8 class indices of the same size; pixels of ``label.ignore_label`` in
    ``truth`` do not count. Returns n×n int64, rows = ground truth.

    One unweighted bincount without a mask: void and illegal labels get rows of their own, which are looked at, not
    dropped (twice as fast as masking first, and score.py drops illegal labels silently).

    Raises Refusal naming ``name`` (the image) for maps of different sizes or a label that is no class.
    """
    n = len(label.classes)
    if truth.shape != predicted.shape:
        raise Refusal(f"{name}: label is {truth.shape} but prediction {predicted.shape}: score at the image's own size")
    if predicted.size and int(predicted.max()) >= n:
        raise Refusal(f"{name}: prediction holds class {predicted.max()}, but there are {n} classes: 0 to {n - 1}")
    cells = truth.astype(np.uint16) * np.uint16(n) + predicted  # < 256·256: a class index and n − 1 are one byte
    counts = np.bincount(cells.ravel(), minlength=256 * n).reshape(-1, n).astype(np.int64, copy=False)
    counts[label.ignore_label] = 0
    illegal = np.flatnonzero(counts[n:].any(axis=1)) + n
    if illegal.size:
        raise Refusal(
            f"{name}: label holds {illegal.tolist()}, neither a class (0 to {n - 1}) nor the ignore label "
            f"{label.ignore_label}: mend the label or the dataset's class list"
        )
    return counts[:n]


def scores(hist: Histogram, classes: Sequence[str]) -> Scores:
    """Pixel accuracy, mean accuracy, mean IU and frequency-weighted IU (paper §5; score.py of the reference).

    Classes without ground truth count in no mean, also where they were wrongly predicted (paper footnote 9: score.py's
    nanmean would give those an IU of 0); as a prediction such a pixel is still an error of the class it belongs to.
    Sums are exact (fsum), so no order of addition shows in the last digit.

    Raises Refusal when ``hist`` (n×n integers, rows = ground truth) holds no pixel at all.
    """
    true, predicted, right = hist.sum(1).tolist(), hist.sum(0).tolist(), hist.diagonal().tolist()
    total = sum(true)
    if total == 0:
        raise Refusal("nothing to score: no pixel of the split carries a class")
    present = [i for i in range(len(classes)) if true[i]]
    acc = [right[i] / true[i] for i in present]
    iu = {i: right[i] / (true[i] + predicted[i] - right[i]) for i in present}
    return Scores(
        pixel_acc=sum(right) / total,
        mean_acc=math.fsum(acc) / len(present),
        mean_iu=math.fsum(iu.values()) / len(present),
        fw_iu=math.fsum(true[i] * iu[i] for i in present) / total,
        iu={name: iu.get(i) for i, name in enumerate(classes)},
        absent=[name for i, name in enumerate(classes) if i not in iu],
    )
