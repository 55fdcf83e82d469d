"""Gather where a net errs: near boundaries, along them, and on objects by size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.core.types import LabelSpec
from pipeline.evaluation import boundary, size, trimap
from pipeline.metrics.scores import Map


class Limits:
    """What was found of one head in some images; pixels and objects are counted, so that parts add up exactly."""

    def __init__(self, label: LabelSpec) -> None:
        n = len(label.classes)
        self.label = label
        self.bands = np.zeros((len(trimap.BANDS), n, n), np.int64)
        self.matches: list[boundary.Match] = []
        self.objects: list[size.Object] = []

    def add(self, truth: Map, predicted: Map, name: str) -> None:
        """Count the image ``name``: two H×W uint8 maps that ``histogram`` has passed, a labelled pixel among them."""
        true, found = boundary.fill_void(truth, predicted, self.label)
        self.bands += trimap.counted(truth, predicted, true, self.label, name)
        match = boundary.matched(true, found)
        self.matches += [match] if match else []
        self.objects += size.objects(truth, predicted, self.label)


def summary(parts: Sequence[Limits]) -> dict[str, Any]:
    """``trimap``, ``boundary`` and ``size`` of one head over all images, as limits.json has them."""
    return {
        "trimap": trimap.scored(np.sum([part.bands for part in parts], axis=0), parts[0].label.classes),
        "boundary": boundary.scored([match for part in parts for match in part.matches]),
        "size": size.scored(each for part in parts for each in part.objects),
    }
