"""Count how label maps agree, read the paper's four metrics off the counts, and bound what a stride can score."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pipeline.core import files
from pipeline.core.types import LabelSpec, Refusal
from pipeline.shards.reader import Shards
from pipeline.shards.schema import read_manifest

Map = NDArray[np.uint8]
Histogram = NDArray[np.int64]
FACTORS = (128, 64, 32, 16, 8, 4)  # arXiv:1411.4038v2, appendix A
BACKGROUND = "background"
Votes = NDArray[np.int64]


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


def write_bounds(shards: Path, out: Path) -> None:
    """Write ``out``: {head: {factor: scores}} of ``FACTORS`` and of every head of a split, its images and ids.

    Scores are fractions, as an evaluation's. Raises Refusal for what ``bound`` refuses.
    """
    manifest = read_manifest(shards)
    bounds: dict[str, Any] = {
        head: {str(factor): row for factor, row in bound(shards, FACTORS, head).items()}
        for head in manifest.spec.labels
    }
    files.write_json(out, {**bounds, "images": manifest.rows, "ids_sha256": manifest.ids_sha256})


def bound(shards: Path, factors: Iterable[int], head: str = "semantic") -> dict[int, Scores]:
    """The scores of ``resampled`` truth over all images of a split, by factor, in one histogram each.

    Raises Refusal where ``shards`` has no labels of that ``head``, or a factor is no whole number of pixels.
    """
    labels = read_manifest(shards).spec.labels
    if head not in labels:
        raise Refusal(f"{shards} has no labels {head!r}: it has {', '.join(labels)}")
    label, split = labels[head], Shards(shards, columns={head})
    hists: dict[int, Histogram] = {factor: np.zeros((len(label.classes),) * 2, np.int64) for factor in factors}
    for index in tqdm(range(len(split)), desc=f"bound {head}", unit="image", disable=None):
        example = split[index]
        truth = example.labels[head]
        for factor, hist in hists.items():
            hist += histogram(truth, resampled(truth, factor, label), label, f"{example.id} ({head})")
    return {factor: scores(hist, label.classes) for factor, hist in hists.items()}


def resampled(truth: Map, factor: int, label: LabelSpec) -> Map:
    """``truth`` (H×W uint8) as a map of stride ``factor`` has it after bilinear upsampling, H×W uint8.

    A cell of ``factor``×``factor`` pixels votes for each class with as many of them as show it, as area averaging
    would; votes are enlarged bilinearly; a pixel takes the class with most, the lowest of equals. A cell that juts out
    of the image repeats the image's edge. Votes are whole numbers, so equals are equal on every machine.

    Void: where there is a class ``background`` it counts as that while shrinking, else it has no vote. The paper says
    no more than "downsampling ground truth images and then upsampling them again". VOC's void is a rim of 5 px about
    every object: without a vote it lets factor 4 reach 100.0 where the paper prints 98.5, and as background 98.8 (100
    images of seg11valid), so there it had one.
    """
    if factor < 1:
        raise Refusal(f"factor is {factor}: shrink by a whole number of pixels, 1 or more")
    shown = truth
    if BACKGROUND in label.classes:
        shown = np.where(truth == label.ignore_label, np.uint8(label.classes.index(BACKGROUND)), truth)
    height, width = truth.shape
    padded = np.pad(shown, [(0, -height % factor), (0, -width % factor)], mode="edge")
    cells = padded.reshape(padded.shape[0] // factor, factor, padded.shape[1] // factor, factor)
    most = np.zeros(truth.shape, np.int64)
    best = np.zeros_like(truth)
    for index in np.unique(shown):
        if index < len(label.classes) and index != label.ignore_label:
            votes = (cells == index).sum(1, dtype=np.int64).sum(2)  # three times as fast as both axes at once
            votes = _enlarged(votes, factor, height, 0)
            votes = _enlarged(votes, factor, width, 1)
            np.copyto(best, index, where=votes > most)
            np.maximum(most, votes, out=most)
    return best


def _enlarged(votes: Votes, factor: int, size: int, axis: int) -> Votes:
    """Votes stretched to ``size`` along ``axis``, linearly between the cells' centres, times 2·``factor``."""
    place = 2 * np.arange(size) + 1 - factor  # of a pixel's centre from cell 0's, in half pixels
    cell, beyond = np.divmod(place if axis else place[:, None], 2 * factor)
    last = votes.shape[axis] - 1
    near, far = (votes.take(np.clip(at.ravel(), 0, last), axis) for at in (cell, cell + 1))
    near *= 2 * factor - beyond
    far *= beyond
    near += far
    return near
