"""The Observer of a stage: points go to its spool as they are, label maps as the panel that evaluations draw."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.core.types import LabelSpec
from pipeline.panels.panels import GAP, WHITE, panel
from pipeline.runtime.observer import Pixels
from pipeline.tracking.spool import Spool

SIDE = 256  # pixels of a picture's longer side at most: all 72 panels of a training stay below 20 MB


class Live:
    """Writes what it is told to ``spool``."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool

    def point(self, step: int, values: Mapping[str, float]) -> None:
        self.spool.point(step, values)

    def labels(
        self,
        step: int,
        key: str,
        image: Pixels,
        truth: Mapping[str, Pixels],
        predicted: Mapping[str, Pixels],
        heads: Mapping[str, LabelSpec],
    ) -> None:
        nth = slice(None, None, -(-max(image.shape) // SIDE))
        true, guessed = ({head: label[nth, nth] for head, label in maps.items()} for maps in (truth, predicted))
        name = key.replace("/", " ")  # MLflow would put a folder of pictures above the curves
        self.spool.picture(step, name, squarer(panel(image[nth, nth], true, guessed, heads)))


def squarer(row: Pixels) -> Pixels:
    """Image | label | prediction | errors as two and two: MLflow shows a picture 256 pixels wide, whatever it is."""
    half = (row.shape[1] + GAP) // 2
    left, right = row[:, : half - GAP], row[:, half:]
    between = np.full((GAP, *left.shape[1:]), WHITE)
    return np.concatenate([left, between, right])
