"""Count the pixels near boundaries of the truth, band by band: there a finer stride must show.

Kohli, Ladický and Torr (IJCV 2009) drew such trimaps, Krähenbühl and Koltun (NIPS 2011) plotted errors by their width.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from pipeline.core.types import LabelSpec
from pipeline.evaluation.boundary import beside
from pipeline.metrics.scores import Map, histogram, scores

BANDS = (1, 2, 3, 5, 8, 12, 20, 30, 40)  # px on each side of a boundary

Band = dict[str, float | None]


def counted(truth: Map, predicted: Map, filled: Map, label: LabelSpec, name: str) -> NDArray[np.int64]:
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


def scored(bands: NDArray[np.int64], classes: Sequence[str]) -> dict[str, Band]:
    """``{"01px": {mean_iu, pixel_acc}, …}``, fractions, over the classes that the truth shows in a band.

    None in a band without a pixel, as VOC's thinnest are: they lie in its rim of void.
    """
    rows: dict[str, Band] = {}
    for band, hist in zip(BANDS, bands, strict=True):
        found = scores(hist, classes) if hist.any() else None
        mean_iu, pixel_acc = (found["mean_iu"], found["pixel_acc"]) if found else (None, None)
        rows[f"{band:02d}px"] = {"mean_iu": mean_iu, "pixel_acc": pixel_acc}
    return rows
