"""Gather where a net errs: near boundaries, along them, and on objects by size, which are scored one by one."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.ndimage import label as connected

from pipeline.core.types import LabelSpec
from pipeline.evaluation import boundary
from pipeline.metrics.scores import Map

BACKGROUND = "background"  # no object
BINS = ("lt01", "01to04", "04to16", "gt16")  # percent of the image's pixels
CUTS = (1, 4, 16)
EIGHT = np.ones((3, 3), np.int64)  # neighbours that connect: diagonal ones, too
Object = tuple[int, int, int]  # its bin, and the pixels of intersection and union


class Limits:
    """What was found of one head in some images; pixels and objects are counted, so that parts add up exactly."""

    def __init__(self, label: LabelSpec) -> None:
        n = len(label.classes)
        self.label = label
        self.bands = np.zeros((len(boundary.BANDS), n, n), np.int64)
        self.matches: list[boundary.Match] = []
        self.objects: list[Object] = []

    def add(self, truth: Map, predicted: Map, name: str) -> None:
        """Count the image ``name``: two H×W uint8 maps that ``histogram`` has passed, a labelled pixel among them."""
        true, found = boundary.fill_void(truth, predicted, self.label)
        self.bands += boundary.banded(truth, predicted, true, self.label, name)
        match = boundary.matched(true, found)
        self.matches += [match] if match else []
        self.objects += objects(truth, predicted, self.label)


def summary(parts: Sequence[Limits]) -> dict[str, Any]:
    """``trimap``, ``boundary`` and ``size`` of one head over all images, as limits.json has them."""
    return {
        "trimap": boundary.band_scores(np.sum([part.bands for part in parts], axis=0), parts[0].label.classes),
        "boundary": boundary.outline_scores([match for part in parts for match in part.matches]),
        "size": object_scores(each for part in parts for each in part.objects),
    }


def objects(truth: Map, predicted: Map, label: LabelSpec) -> Iterator[Object]:
    """The objects of an image (H×W uint8 each): connected components (8 neighbours) of a class in ``truth``.

    Predicted pixels of the class, void ones aside, belong to its nearest object in the image (Euclid; of equals scipy
    takes the same one each time); those of a class that the truth lacks to none. An object's share is of all pixels.
    """
    legal = truth != label.ignore_label
    for index in np.unique(truth[legal]).tolist():
        if label.classes[index] != BACKGROUND:
            yield from _of_class(truth == index, (predicted == index) & legal)


def object_scores(found: Iterable[Object]) -> dict[str, dict[str, float | None]]:
    """``{bin: {objects, mean_iu}}``: how many objects, and the mean of their IU; None for a bin without one.

    Sums are exact, so no order of addition shows.
    """
    iu: dict[str, list[float]] = {name: [] for name in BINS}
    for place, both, either in found:
        iu[BINS[place]].append(both / either)
    return {
        name: {"objects": len(values), "mean_iu": math.fsum(values) / len(values) if values else None}
        for name, values in iu.items()
    }


def _of_class(true: np.ndarray, found: np.ndarray) -> Iterator[Object]:
    parts, count = connected(true, EIGHT)
    owner = parts
    if count > 1 and (found & ~true).any():
        rows, columns = distance_transform_edt(~true, return_distances=False, return_indices=True)
        owner = parts[rows, columns]
    elif count == 1:
        owner = np.ones_like(parts)
    area = np.bincount(parts.ravel(), minlength=count + 1)
    claimed = np.bincount(owner[found], minlength=count + 1)
    both = np.bincount(parts[found & true], minlength=count + 1)
    for each in range(1, count + 1):
        place = sum(100 * int(area[each]) >= cut * true.size for cut in CUTS)
        yield place, int(both[each]), int(area[each] + claimed[each] - both[each])
