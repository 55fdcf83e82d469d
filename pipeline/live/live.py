"""The Observer of a stage: points go to its spool, label maps as the panel that evaluations draw."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from pipeline.core.types import LabelSpec
from pipeline.panels.panels import GAP, WHITE, panel
from pipeline.runtime.observer import Pixels
from pipeline.tracking.spool import Spool

Bands = Mapping[str, Mapping[int, float]]  # by curve: the least that it shows from a step on
NONE: Bands = MappingProxyType({})
SIDE = 256  # pixels of a picture's longer side at most: all 72 panels of a training stay below 20 MB


class Live:
    """Writes what it observes to ``spool``; ``warn`` hears of alarms, also of a curve below its ``expected``, once."""

    def __init__(self, spool: Spool, warn: Callable[[str], None] = lambda text: None, expected: Bands = NONE) -> None:
        self.spool = spool
        self.warn = warn
        self.expected = dict(expected)
        self._alarms: list[str] = []

    def point(self, step: int, values: Mapping[str, float]) -> None:
        self.spool.point(step, values)
        for name in values.keys() & self.expected.keys():
            bands = self.expected[name]
            begun = max((first for first in bands if first <= step), default=None)
            if begun is not None and values[name] < bands[begun]:
                self.alarm(step, f"{name} is {values[name]:.3g} after {step} iterations, expected {bands[begun]:.3g}")
                del self.expected[name]

    def alarm(self, step: int, text: str) -> None:
        self._alarms.append(text)
        self.spool.tag({"alarm": "; ".join(self._alarms)})
        self.warn(text)

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
        self.spool.picture(step, name, _square(panel(image[nth, nth], true, guessed, heads)))


def _square(row: Pixels) -> Pixels:
    """Image | label | prediction | errors as two and two: MLflow shows a picture 256 pixels wide, whatever it is."""
    half = (row.shape[1] + GAP) // 2
    left, right = row[:, : half - GAP], row[:, half:]
    return np.concatenate([left, np.full((GAP, *left.shape[1:]), WHITE), right])
