"""The Observer of a stage: points go to its spool as they are, label maps as the panel that evaluations draw."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.evaluation.panels import panel
from pipeline.observer import Pixels
from pipeline.tracking.spool import Spool
from pipeline.types import LabelSpec

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
        self.spool.picture(step, key, panel(image[nth, nth], true, guessed, heads))
