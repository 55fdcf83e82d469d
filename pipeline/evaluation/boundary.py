"""Score outlines by the boundary F of Csurka and others (BMVC 2013), and the pixels near them, band by band.

Kohli, Ladický and Torr (IJCV 2009) drew such trimaps, Krähenbühl and Koltun (NIPS 2011) plotted errors by their width.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from pipeline.core.types import LabelSpec
from pipeline.metrics.scores import Map, histogram, scores

TOLERANCE = 75  # of 10,000 parts of the image's diagonal
FAR = np.iinfo(np.int64).max // 4
Keys = NDArray[np.int64]
Match = tuple[float, float, float]  # precision, recall, F
BANDS = (1, 2, 3, 5, 8, 12, 20, 30, 40)  # px on each side of a boundary
Band = dict[str, float | None]


def fill_void(truth: Map, predicted: Map, label: LabelSpec) -> tuple[Map, Map]:
    """Both maps (H×W uint8), each void pixel of ``truth`` showing in either what its nearest labelled pixel shows.

    VOC's void is a rim of 5 px about every object: filled, the outline runs in the rim's middle, a hole of void in one
    class makes no outline, and what a net says of void shows nowhere. Of pixels equally near (Euclid) scipy takes the
    same one each time. ``truth`` must have a labelled pixel.
    """
    void = truth == label.ignore_label
    if not void.any():
        return truth, predicted
    rows, columns = distance_transform_edt(void, return_distances=False, return_indices=True)
    return truth[rows, columns], predicted[rows, columns]


def beside(shown: NDArray[np.integer]) -> NDArray[np.bool_]:
    """H×W: whether above, below, left or right of a pixel another class shows; the image's edge is no boundary."""
    found = np.zeros(shown.shape, np.bool_)
    across = shown[:, 1:] != shown[:, :-1]
    down = shown[1:] != shown[:-1]
    found[:, 1:] |= across
    found[:, :-1] |= across
    found[1:] |= down
    found[:-1] |= down
    return found


def matched(truth: Map, predicted: Map) -> Match | None:
    """Precision, recall and F of an image, fractions, of maps without void (H×W uint8); None without a true outline.

    A class's outline are its pixels beside a boundary. Precision is the share of the predicted outline that lies less
    than 0.75 % of the image's diagonal (Euclid, between centres) from the true one, recall the reverse, F = 2PR/(P+R).
    Each is the mean over the classes with an outline in the truth; one that is nowhere predicted has 0 of all three.
    """
    height, width = truth.shape
    limit = TOLERANCE**2 * (height**2 + width**2)  # squared, in 10,000ths of a pixel: whole numbers compare exactly
    reach = math.isqrt((limit - 1) // 10_000**2)
    true, found = (_outlines(shown, reach) for shown in (truth, predicted))
    if not len(true):
        return None
    row = width + reach
    plane = (height + reach) * row
    recalled, precise = _near(true, found, row, reach, limit), _near(found, true, row, reach, limit)
    counts = [np.bincount(keys // plane, minlength=256) for keys in (true, true[recalled], found, found[precise])]
    return _mean([_match(*each) for each in zip(*(count.tolist() for count in counts), strict=True) if each[0]])


def outline_scores(images: Sequence[Match]) -> dict[str, float | None]:
    """The mean over images that have an outline; sums are exact, so no order of addition shows. None without one."""
    means = _mean(images) if images else (None, None, None)
    return dict(zip(("precision", "recall", "f"), means, strict=True))


def _outlines(shown: Map, reach: int) -> Keys:
    """The outlines' pixels, each as one number that grows by class, row and column, sorted.

    ``reach`` empty rows and columns part the classes and rows, so that numbers less than that apart are of one row.
    """
    height, width = shown.shape
    rows, columns = np.nonzero(beside(shown))
    classes = shown[rows, columns].astype(np.int64)
    return np.sort((classes * (height + reach) + rows) * (width + reach) + columns)


def _near(points: Keys, others: Keys, row: int, reach: int, limit: int) -> NDArray[np.bool_]:
    """Which of ``points`` have one of ``others`` of their class within the tolerance.

    Looks, in each row within ``reach``, at the nearest to the left and to the right. No tree: SciPy's splits it with
    ``nextafter`` and recurses without end where denormals are flushed to zero.
    """
    fenced = np.concatenate([[-FAR], others, [FAR]])
    near = np.zeros(len(points), np.bool_)
    for down in range(-reach, reach + 1):
        there = points + down * row
        right = np.searchsorted(fenced, there)
        across = np.minimum(fenced[right] - there, there - fenced[right - 1]).clip(max=reach + 1)
        near |= (across**2 + down**2) * 10_000**2 < limit
    return near


def _match(true: int, recalled: int, found: int, precise: int) -> Match:
    if not found:
        return 0.0, 0.0, 0.0
    precision, recall = precise / found, recalled / true
    both = precision + recall
    return precision, recall, 2 * precision * recall / both if both else 0.0


def _mean(matches: Sequence[Match]) -> Match:
    precision, recall, f = (math.fsum(values) / len(matches) for values in zip(*matches, strict=True))
    return precision, recall, f


def banded(truth: Map, predicted: Map, filled: Map, label: LabelSpec, name: str) -> NDArray[np.int64]:
    """A histogram a band, len(BANDS)×n×n int64, of the pixels within it; add them up over a split.

    Band N is what lies less than N px (Euclid, between centres) from a pixel beside a boundary of ``filled``, the truth
    without void: N pixels on each side of a straight one. Void pixels of ``truth`` do not count. ``name`` is the
    image's.
    """
    classes = len(label.classes)
    rings = np.zeros((len(BANDS), classes, classes), np.int64)
    near = beside(filled)
    if near.any():
        ring = np.searchsorted(BANDS, distance_transform_edt(~near), side="right")  # the first band that has it
        for index in range(len(BANDS)):
            inside = ring == index
            rings[index] = histogram(truth[inside], predicted[inside], label, name)
    return rings.cumsum(0)


def band_scores(bands: NDArray[np.int64], classes: Sequence[str]) -> dict[str, Band]:
    """``{"01px": {mean_iu, pixel_acc}, …}``, fractions, over the classes that the truth shows in a band.

    None in a band without a pixel, as VOC's thinnest are: they lie in its rim of void.
    """
    rows: dict[str, Band] = {}
    for band, hist in zip(BANDS, bands, strict=True):
        found = scores(hist, classes) if hist.any() else None
        mean_iu, pixel_acc = (found["mean_iu"], found["pixel_acc"]) if found else (None, None)
        rows[f"{band:02d}px"] = {"mean_iu": mean_iu, "pixel_acc": pixel_acc}
    return rows
