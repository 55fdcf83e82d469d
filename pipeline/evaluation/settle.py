"""Give void the class of the nearest labelled pixel, so that boundaries run between classes and never around void."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from pipeline.core.types import LabelSpec
from pipeline.metrics.scores import Map

Mask = NDArray[np.bool_]


def settled(truth: Map, predicted: Map, label: LabelSpec) -> tuple[Map, Map]:
    """Both maps (H×W uint8), each void pixel of ``truth`` showing in either what its nearest labelled pixel shows.

    VOC's void is a rim of 5 px about every object: settled, the outline runs in the rim's middle, a hole of void in one
    class makes no outline, and what a net says of void shows nowhere. Of pixels equally near (Euclid) scipy takes the
    same one each time. ``truth`` must have a labelled pixel.
    """
    void = truth == label.ignore_label
    if not void.any():
        return truth, predicted
    rows, columns = distance_transform_edt(void, return_distances=False, return_indices=True)
    return truth[rows, columns], predicted[rows, columns]


def beside(shown: NDArray[np.integer]) -> Mask:
    """H×W: whether a pixel is beside a boundary: above, below, left or right of it lies one that shows another class.

    The image's edge is no boundary.
    """
    found = np.zeros(shown.shape, np.bool_)
    across = shown[:, 1:] != shown[:, :-1]
    down = shown[1:] != shown[:-1]
    found[:, 1:] |= across
    found[:, :-1] |= across
    found[1:] |= down
    found[:-1] |= down
    return found
