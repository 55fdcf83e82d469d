"""Score how well predicted outlines follow the true ones: the boundary F of Csurka and others (BMVC 2013)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from pipeline.evaluation.scores import Map
from pipeline.evaluation.settle import beside

TOLERANCE = 75  # of 10,000 parts of the image's diagonal
NOWHERE = np.empty((0, 2), np.intp)

Points = NDArray[np.intp]
Match = tuple[float, float, float]  # precision, recall, F


def matched(truth: Map, predicted: Map) -> Match | None:
    """Precision, recall and F of an image, fractions, from its settled maps (H×W uint8); None without a true outline.

    A class's outline are its pixels beside a boundary. Precision is the share of the predicted outline that lies less
    than 0.75 % of the image's diagonal (Euclid, between centres) from the true one, recall the reverse, F = 2PR/(P+R).
    Each is the mean over the classes with an outline in the truth; one that is nowhere predicted has 0 of all three.
    """
    true, found = _outlines(truth), _outlines(predicted)
    if not true:
        return None
    diagonal = truth.shape[0] ** 2 + truth.shape[1] ** 2  # squared, as all lengths here: whole numbers compare exactly
    matches = [
        _match(outline, found[index], diagonal) if index in found else (0.0,) * 3 for index, outline in true.items()
    ]
    return _mean(matches)


def scored(images: Sequence[Match]) -> dict[str, float | None]:
    """The mean over images that have an outline; sums are exact, so no order of addition shows. None without one."""
    means = _mean(images) if images else (None, None, None)
    return dict(zip(("precision", "recall", "f"), means, strict=True))


def _outlines(shown: Map) -> dict[int, Points]:
    """{class: P×2 rows and columns}"""
    places = np.argwhere(beside(shown))
    classes = shown[places[:, 0], places[:, 1]]
    return {int(index): places[classes == index] for index in np.unique(classes)}


def _match(true: Points, found: Points, diagonal: int) -> Match:
    if not len(found):
        return 0.0, 0.0, 0.0
    precision, recall = _near(found, true, diagonal), _near(true, found, diagonal)
    both = precision + recall
    return precision, recall, 2 * precision * recall / both if both else 0.0


def _near(points: Points, others: Points, diagonal: int) -> float:
    """The share of ``points`` with one of ``others`` within the tolerance."""
    limit = TOLERANCE**2 * diagonal / 10_000**2
    distance, _ = KDTree(others).query(points, distance_upper_bound=math.sqrt(limit) + 1)  # inf beyond it
    return float(np.mean(np.rint(distance**2) < limit))


def _mean(matches: Sequence[Match]) -> Match:
    precision, recall, f = (math.fsum(values) / len(matches) for values in zip(*matches, strict=True))
    return precision, recall, f
